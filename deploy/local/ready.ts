// Waiting until a started program answers, or is known not to.
//
// Guarantees: ends at the first of three: the probe says yes, the program has exited, or the time
// is over. The last lines of the program's log are part of the error, since they hold the reason.

import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { RunningProcess } from "./process.ts";

const PROBE_INTERVAL_MS = 50;
const LOG_LINES_SHOWN = 12;

/** The program is gone again, or was ended because it stayed silent. */
export class NotStartedError extends Error {
  override readonly name = "NotStartedError";
  readonly isSilent: boolean;

  constructor(message: string, how: { readonly isSilent: boolean }) {
    super(message);
    this.isSilent = how.isSilent;
  }
}

export interface ReadyOptions {
  readonly name: string;
  readonly child: RunningProcess;
  readonly logPath: string;
  readonly timeoutMs: number;
  readonly probe: () => Promise<boolean>;
}

export async function untilReady(options: ReadyOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs;
  while (!(await options.probe())) {
    if (options.child.hasExited()) {
      const { code, signal } = await options.child.exited;
      const how = code === null ? `was killed by ${signal}` : `exited with code ${code}`;
      const message = `${options.name} ${how}:\n${logTail(options.logPath)}`;
      throw new NotStartedError(message, { isSilent: false });
    }
    if (performance.now() > deadline) {
      const seconds = Math.round(options.timeoutMs / 1_000);
      throw new NotStartedError(
        `${options.name} did not answer within ${seconds} s:\n${logTail(options.logPath)}`,
        { isSilent: true },
      );
    }
    await delay(PROBE_INTERVAL_MS);
  }
}

export function logTail(path: string): string {
  try {
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    return lines.slice(-LOG_LINES_SHOWN).join("\n");
  } catch (error) {
    return `(no log at ${path}: ${(error as NodeJS.ErrnoException).code})`;
  }
}
