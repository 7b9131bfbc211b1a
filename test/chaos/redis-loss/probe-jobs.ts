// The jobs of a run in which Redis is lost again and again: one kind for each way in which a job
// can stand in Redis, or not, when that happens.
//
// Guarantees: every handler writes down its begin and its end, one line each, in the order in which
// they happened (probe-mark.ts), so that the file alone tells whether two of them overlapped.

import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type AttemptContext, defineJob } from "../../../workers/index.ts";
import { type ProbeMark, writeMark } from "./probe-mark.ts";

export const BACKOFF_MS = 400;
const QUEUE = "probes";
/** Faults use attempts up; none of them may end a job. */
const ATTEMPTS_MAX = 50;
const RETRY = {
  maxAttempts: ATTEMPTS_MAX,
  backoff: { initialMs: BACKOFF_MS, multiplier: 1, maxMs: BACKOFF_MS },
};

const input = z.object({ file: z.string(), key: z.string(), holdMs: z.int(), failures: z.int() });
export type ProbeInput = z.infer<typeof input>;

async function probe(
  { file, key, holdMs, failures }: ProbeInput,
  { kind, jobId, attempt, fencingToken, signal }: AttemptContext,
): Promise<{ token: number }> {
  const token = Number(fencingToken);
  const mark = (event: ProbeMark["event"]): void =>
    writeMark(file, { event, kind, jobId, key, attempt, token });
  mark("begin");
  try {
    await delay(holdMs, undefined, { signal });
    if (attempt <= failures) throw new Error(`fails ${failures} times`);
    return { token };
  } finally {
    mark("end");
  }
}

function probeJob<const Kind extends string>(kind: Kind, queue = QUEUE) {
  return defineJob({ kind, queue, input, retry: RETRY, handler: probe });
}

/** Waits in a queue, runs at once. */
export const probePlain = probeJob("probe-plain");

/** Submitted with a time to run at. */
export const probeDelayed = probeJob("probe-delayed");

/** Fails as often as it is told, and waits out its backoff. */
export const probeFlaky = probeJob("probe-flaky");

/** Made by a schedule, one each second. */
export const probeTick = probeJob("probe-tick");

/** Runs for seconds, so that it runs whenever Redis is lost. */
export const probeSlow = probeJob("probe-slow", "probes-slow");

/** Holds a key that others wait for. */
export const probeLocked = defineJob({
  kind: "probe-locked",
  queue: "probes-locked",
  input,
  lock: "probe:{key}",
  retry: RETRY,
  handler: probe,
});
