// A job file for workers under test: handlers that write down when they begin and end.
//
// Guarantees: a line is appended in one write, so lines of several processes never mix. The file
// is the one that the payload names.

import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { PAYLOAD_BYTES_MAX } from "../../transport/limit.ts";
import { defineJob } from "../../workers/index.ts";

export interface Mark {
  readonly event: "begin" | "end" | "aborted";
  readonly jobId: string;
  readonly attempt: number;
  readonly token: number;
  readonly pid: number;
}

const input = z.object({ key: z.string(), file: z.string(), holdMs: z.int() });

function mark(file: string, entry: Mark): void {
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

/** Holds the lock of its key for holdMs. */
export const holdKey = defineJob({
  kind: "hold-key",
  queue: "marking",
  input,
  lock: "key:{key}",
  retry: { maxAttempts: 5, backoff: { initialMs: 50, multiplier: 1, maxMs: 50 } },
  handler: async ({ file, holdMs }, { jobId, attempt, fencingToken, signal }) => {
    const entry = { jobId, attempt, token: Number(fencingToken), pid: process.pid };
    mark(file, { event: "begin", ...entry });
    try {
      await delay(holdMs, undefined, { signal });
      mark(file, { event: "end", ...entry });
    } catch (error) {
      mark(file, { event: "aborted", ...entry });
      throw error;
    }
    return { token: entry.token };
  },
});

/** Pays no attention to its signal, and tries to record its result however late it is. */
export const deafHold = defineJob({
  kind: "deaf-hold",
  queue: "marking",
  input,
  lock: "key:{key}",
  retry: { maxAttempts: 5, backoff: { initialMs: 50, multiplier: 1, maxMs: 50 } },
  handler: async ({ file, holdMs }, { jobId, attempt, fencingToken }) => {
    const entry = { jobId, attempt, token: Number(fencingToken), pid: process.pid };
    mark(file, { event: "begin", ...entry });
    // Only the first attempt is slow: the one that is frozen.
    await delay(attempt === 1 ? holdMs : 1);
    mark(file, { event: "end", ...entry });
    return { token: entry.token };
  },
});

/** Blocks the event loop of its worker for holdMs, but on the first attempt only. */
export const blockLoop = defineJob({
  kind: "block-loop",
  queue: "marking",
  input,
  retry: { maxAttempts: 5, backoff: { initialMs: 50, multiplier: 1, maxMs: 50 } },
  handler: ({ file, holdMs }, { jobId, attempt, fencingToken }) => {
    const entry = { jobId, attempt, token: Number(fencingToken), pid: process.pid };
    mark(file, { event: "begin", ...entry });
    if (attempt === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, holdMs);
    mark(file, { event: "end", ...entry });
    return { token: entry.token };
  },
});

/** Has more to say than a result may hold. */
export const boast = defineJob({
  kind: "boast",
  queue: "marking",
  input: z.object({}),
  handler: () => "x".repeat(PAYLOAD_BYTES_MAX),
});
