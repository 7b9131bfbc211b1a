// What callers of a chaos run submit, and what they do besides.
//
// Guarantees: by number and dice only, so that a seed repeats it.

import { randomUUID } from "node:crypto";
import { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { Dice } from "./dice.ts";
import { REMOTE_KIND } from "./remote-worker.ts";

/** Faults use attempts up, and the example's payment step fails: enough for all of them. */
const ATTEMPTS_MAX = 50;

/** What a caller does once its job is accepted; each after some ms of its own. */
export type Afterwards =
  | "nothing"
  /** Two reads, one after the other. */
  | "look"
  | "cancel"
  | "wait"
  /** Submits the same once more, under the same key. */
  | "repeat"
  /** Submits something else under the same key, which must be refused. */
  | "reuse";

const SHARES: readonly (readonly [Afterwards, number])[] = [
  ["look", 0.15],
  ["cancel", 0.1],
  ["wait", 0.08],
  ["repeat", 0.05],
  ["reuse", 0.02],
];
const PAUSE_MS_MAX = 600;

export interface Plan {
  readonly job: JobSpec;
  readonly afterwards: Afterwards;
  readonly pauseMs: number;
}

export function planOf(number: number, dice: Dice): Plan {
  const pauseMs = dice.below(PAUSE_MS_MAX);
  let drawn = dice.next();
  for (const [afterwards, share] of SHARES) {
    if (drawn < share) return { job: jobSpec(number), afterwards, pauseMs };
    drawn -= share;
  }
  return { job: jobSpec(number), afterwards: "nothing", pauseMs };
}

/**
 * Eight small readings for each charge, which needs a lock and fails now and then, and for each job
 * that is run behind a stream.
 */
function jobSpec(number: number): JobSpec {
  const isCharge = number % 10 === 9;
  const isRemote = number % 10 === 4;
  const payload = isCharge
    ? { orderId: `o-${number}`, accountId: `a-${number % 50}`, amountCents: 100 }
    : { deviceId: `d-${number % 200}`, at: number + 1, celsius: 20 };
  return JobSpec.fromPartial({
    kind: isCharge ? "charge-order" : isRemote ? REMOTE_KIND : "ingest-reading",
    payload: Buffer.from(JSON.stringify(payload)),
    maxAttempts: ATTEMPTS_MAX,
    idempotencyKey: randomUUID(),
  });
}

/** Another job under the same key. */
export function otherThan(job: JobSpec): JobSpec {
  return { ...job, priority: job.priority + 1 };
}
