// What a leader refuses of commands about queues and of concurrency keys.
//
// Guarantees: as command-check.ts: "" or what is wrong.

import type { CommandBody } from "../ledger/command.ts";
import type { ConcurrencyKey } from "../ledger/job.ts";
import { ALL_QUEUES } from "../ledger/queue.ts";
import {
  countFault,
  type Fault,
  firstFault,
  keyFault,
  nameFault,
  rangeFault,
  textFault,
} from "./field-fault.ts";
import {
  CONCURRENCY_MAX,
  DRAIN_JOBS_MAX,
  ERROR_MESSAGE_LENGTH_MAX,
  JOB_CONCURRENCY_KEYS_MAX,
  QUEUE_RATE_COUNT_MAX,
  QUEUE_RATE_PERIOD_MS_MAX,
  QUEUE_RUNNING_MAX,
  QUEUE_WAITING_MAX,
} from "./limit.ts";

export function setQueueFault(set: Extract<CommandBody, { kind: "set-queue" }>): Fault {
  const { queue, runningMax, rate, waitingMax } = set;
  const isAll = queue === ALL_QUEUES;
  if (isAll && (rate !== null || waitingMax !== null)) {
    return "all queues together have neither a rate nor a backlog limit";
  }
  return (
    (isAll ? "" : nameFault("queue", queue)) ||
    rangeFault("running_max", runningMax ?? 0, 0, QUEUE_RUNNING_MAX) ||
    rangeFault("rate.count", rate?.count ?? 0, 0, QUEUE_RATE_COUNT_MAX) ||
    rangeFault("rate.period_ms", rate?.periodMs ?? 0, 0, QUEUE_RATE_PERIOD_MS_MAX) ||
    rangeFault("waiting_max", waitingMax ?? 0, 0, QUEUE_WAITING_MAX)
  );
}

export function drainQueueFault(drain: Extract<CommandBody, { kind: "drain-queue" }>): Fault {
  return (
    nameFault("queue", drain.queue) ||
    rangeFault("jobs_max", drain.jobsMax, 1, DRAIN_JOBS_MAX) ||
    textFault("reason", drain.reason, ERROR_MESSAGE_LENGTH_MAX)
  );
}

export function concurrencyFault(keys: readonly ConcurrencyKey[]): Fault {
  return (
    countFault("concurrency_keys", keys, 0, JOB_CONCURRENCY_KEYS_MAX) ||
    firstFault(keys, ({ key, limit }) => {
      return keyFault("concurrency_key", key) || rangeFault("limit", limit, 1, CONCURRENCY_MAX);
    })
  );
}
