// What a caller may ask of queues and of concurrency keys, field by field.
//
// Guarantees: as validate.ts: every problem of a request is added, none throws here.

import type { CommandBody, QueueRate } from "../../ledger/command.ts";
import { ALL_QUEUES } from "../../ledger/queue.ts";
import type { ConcurrencyKey } from "../../protos/gen/quorumq/v1/job.ts";
import type { QueueLimits, RateLimit } from "../../protos/gen/quorumq/v1/job_service.ts";
import {
  CONCURRENCY_MAX,
  JOB_CONCURRENCY_KEYS_MAX,
  KEY_LENGTH_MAX,
  QUEUE_RATE_COUNT_MAX,
  QUEUE_RATE_PERIOD_MS_MAX,
  QUEUE_RUNNING_MAX,
  QUEUE_WAITING_MAX,
} from "../../transport/limit.ts";
import { checkDuration, checkLength, checkName, checkRange } from "./validate.ts";
import { quoted, type Violations } from "./violations.ts";

type Limits = Pick<
  Extract<CommandBody, { kind: "set-queue" }>,
  "runningMax" | "rate" | "waitingMax"
>;

/** "*" stands for all queues. */
export function checkQueue(queue: string, violations: Violations): void {
  if (queue !== ALL_QUEUES) checkName(queue, "queue", violations);
}

/** null for what is absent. */
export function checkLimits(
  queue: string,
  limits: QueueLimits | undefined,
  violations: Violations,
): Limits {
  const { maxRunning, rate, maxWaiting } = limits ?? {};
  if (maxRunning === undefined && rate === undefined && maxWaiting === undefined) {
    violations.add("limits", "has no limit", "nothing", "max_running, rate or max_waiting");
  }
  if (queue === ALL_QUEUES) {
    const allowed = "only max_running for all queues together";
    if (rate !== undefined) violations.add("limits.rate", "is of one queue", "a rate", allowed);
    if (maxWaiting !== undefined) {
      violations.add("limits.max_waiting", "is of one queue", maxWaiting, allowed);
    }
  }
  checkRange(maxRunning ?? 0, "limits.max_running", QUEUE_RUNNING_MAX, violations);
  checkRange(maxWaiting ?? 0, "limits.max_waiting", QUEUE_WAITING_MAX, violations);
  return {
    runningMax: maxRunning ?? null,
    rate: rate === undefined ? null : checkRate(rate, violations),
    waitingMax: maxWaiting ?? null,
  };
}

function checkRate({ count, period }: RateLimit, violations: Violations): QueueRate {
  checkRange(count, "limits.rate.count", QUEUE_RATE_COUNT_MAX, violations);
  const periodMs = checkDuration(period, "limits.rate.period", violations);
  // No rate needs no period.
  const isNone = count === 0 && periodMs <= QUEUE_RATE_PERIOD_MS_MAX;
  if (!isNone && (periodMs < 1 || periodMs > QUEUE_RATE_PERIOD_MS_MAX)) {
    const allowed = `1 to ${QUEUE_RATE_PERIOD_MS_MAX} ms`;
    violations.add("limits.rate.period", "is out of range", `${periodMs} ms`, allowed);
  }
  return { count, periodMs };
}

export function checkConcurrencyKeys(
  keys: readonly ConcurrencyKey[],
  field: string,
  violations: Violations,
): void {
  if (keys.length > JOB_CONCURRENCY_KEYS_MAX) {
    const allowed = `at most ${JOB_CONCURRENCY_KEYS_MAX}`;
    violations.add(field, "has too many keys", keys.length, allowed);
    return;
  }
  const seen = new Set<string>();
  for (const [position, { key, limit }] of keys.entries()) {
    const path = `${field}[${position}]`;
    const allowed = `1 to ${KEY_LENGTH_MAX} characters`;
    if (key === "") violations.add(`${path}.key`, "is empty", quoted(key), allowed);
    else checkLength(key, `${path}.key`, KEY_LENGTH_MAX, violations);
    checkRange(limit, `${path}.limit`, CONCURRENCY_MAX, violations, 1);
    if (seen.has(key)) {
      violations.add(`${path}.key`, "is there twice", quoted(key), "each key once");
    }
    seen.add(key);
  }
}
