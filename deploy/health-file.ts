// How a process without a port of its own says that it is well: a file that it keeps fresh.
//
// Guarantees: the file appears when the process has started, its time moves while the event loop
// turns, and it is gone once the process has drained. It tells, two seconds late at most, why the
// process does no work, if it does none: a loop that turns is not yet a worker that takes jobs. A
// process that hangs or was killed leaves a stale one, which does not count.

import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

const REFRESH_INTERVAL_MS = 2_000;
const STALE_MS = 15_000;

export interface HealthNote {
  readonly role: string;
  readonly id: string;
  readonly ports: Readonly<Record<string, number>>;
  /** Why it does no work now; absent or null: it does. */
  readonly problem?: string | null;
}

export interface HealthFile {
  remove(): void;
}

export function keepHealthFile(
  path: string | null,
  note: HealthNote,
  problem: () => string | null = () => null,
): HealthFile {
  if (path === null) return { remove: () => undefined };
  const refresh = (): void => {
    // Put in place whole: who reads it meanwhile sees the one before.
    writeFileSync(`${path}.next`, JSON.stringify({ ...note, problem: problem() }));
    renameSync(`${path}.next`, path);
  };
  refresh();
  const timer = setInterval(refresh, REFRESH_INTERVAL_MS);
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
