// How a process without a port of its own says that it is well: a file that it keeps fresh.
//
// Guarantees: the file appears when the process is ready, its time moves while the event loop
// turns, and it is gone once the process has drained. A process that hangs or was killed leaves a
// stale one, which does not count.

import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";

const REFRESH_INTERVAL_MS = 2_000;
const STALE_MS = 15_000;

export interface HealthNote {
  readonly role: string;
  readonly id: string;
  readonly ports: Readonly<Record<string, number>>;
}

export interface HealthFile {
  remove(): void;
}

export function keepHealthFile(path: string | null, note: HealthNote): HealthFile {
  if (path === null) return { remove: () => undefined };
  writeFileSync(path, JSON.stringify(note));
  const timer = setInterval(() => {
    const now = new Date();
    utimesSync(path, now, now);
  }, REFRESH_INTERVAL_MS);
  timer.unref();
  return {
    remove: () => {
      clearInterval(timer);
      rmSync(path, { force: true });
    },
  };
}

/** What the process last said, or null if it is not well. */
export function readHealthFile(path: string, nowMs: number): HealthNote | null {
  try {
    if (nowMs - statSync(path).mtimeMs > STALE_MS) return null;
    return JSON.parse(readFileSync(path, "utf8")) as HealthNote;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
