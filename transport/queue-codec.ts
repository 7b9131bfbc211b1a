// Queues as clients see them, and the commands about queues as the log's messages.
//
// Guarantees: what is encoded here decodes to the same value; an age is told by the time it is
// asked at, since the ledger's own clock stands still while nothing happens.
// Does not own: what is let into the log (queue-check.ts).

import type { CommandBody, QueueRate } from "../ledger/command.ts";
import type { ConcurrencyKey } from "../ledger/job.ts";
import type { QueueView } from "../ledger/ledger.ts";
import type {
  DrainQueue as WireDrain,
  SetQueue as WireSet,
} from "../protos/gen/ledger/v1/queue.ts";
import type { Queue as WireQueue } from "../protos/gen/quorumq/v1/job_service.ts";
import { durationOf } from "./wire-value.ts";

type SetQueue = Extract<CommandBody, { kind: "set-queue" }>;
type DrainQueue = Extract<CommandBody, { kind: "drain-queue" }>;

export function toWireSet({ queue, isPaused, runningMax, rate, waitingMax }: SetQueue): WireSet {
  return {
    queue,
    paused: isPaused ?? undefined,
    runningMax: runningMax ?? undefined,
    rate: rate === null ? undefined : rateOf(rate),
    waitingMax: waitingMax ?? undefined,
  };
}

export function fromWireSet({ queue, paused, runningMax, rate, waitingMax }: WireSet): SetQueue {
  return {
    kind: "set-queue",
    queue,
    isPaused: paused ?? null,
    runningMax: runningMax ?? null,
    rate: rate ?? null,
    waitingMax: waitingMax ?? null,
  };
}

export function toWireDrain(drain: DrainQueue): WireDrain {
  const { queue, withScheduled, jobsMax, untilArrival, reason } = drain;
  return { queue, withScheduled, jobsMax, untilArrival, reason };
}

export function toWireKeys(keys: readonly ConcurrencyKey[]): ConcurrencyKey[] {
  return keys.map(({ key, limit }) => ({ key, limit }));
}

export function toWireQueue(view: QueueView, nowMs: number): WireQueue {
  const { limits, byState, oldestSinceMs } = view;
  const { rateCount, ratePeriodMs } = limits;
  return {
    name: view.name,
    paused: view.isPaused,
    scheduledCount: byState.scheduled,
    queuedCount: byState.queued,
    runningCount: byState.running,
    succeededCount: byState.succeeded,
    failedCount: byState.failed,
    cancelledCount: byState.cancelled,
    limits: {
      maxRunning: limits.runningMax,
      rate: rateCount === 0 ? undefined : { count: rateCount, period: durationOf(ratePeriodMs) },
      maxWaiting: limits.waitingMax,
    },
    oldestWaitingAge:
      oldestSinceMs === null ? undefined : durationOf(Math.max(0, nowMs - oldestSinceMs)),
    heldBackCount: view.heldBack,
  };
}

function rateOf({ count, periodMs }: QueueRate): QueueRate {
  return { count, periodMs };
}
