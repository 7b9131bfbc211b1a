// How queues look on a terminal, and as JSON for programs.

import type { ListQueuesResponse, Queue } from "../protos/gen/quorumq/v1/job_service.ts";
import {
  coloured,
  type Form,
  printFields,
  printJson,
  printLine,
  printTable,
  withDurations,
} from "./print.ts";

const HEAD = ["QUEUE", "QUEUED", "HELD", "RUNNING", "SCHEDULED", "OLDEST", "LIMITS"];

export function printQueues({ queues, allQueues }: ListQueuesResponse, form: Form): void {
  if (form === "json") {
    printJson(withDurations({ queues, allQueues }));
    return;
  }
  const all = allQueues === undefined ? [] : [allQueues];
  printTable(HEAD, [...queues, ...all].map(rowOf));
}

export function printQueue(queue: Queue | undefined, form: Form): void {
  if (queue === undefined) return;
  if (form === "json") {
    printJson(withDurations(queue));
    return;
  }
  printFields({
    queue: queue.name,
    state: queue.paused ? coloured("yellow", "paused") : "open",
    limits: limitsOf(queue),
    queued: `${queue.queuedCount}, held back ${queue.heldBackCount}`,
    running: String(queue.runningCount),
    scheduled: String(queue.scheduledCount),
    oldest: ageOf(queue),
  });
}

export function printDrained(queue: string, cancelledCount: number, form: Form): void {
  if (form === "json") printJson({ queue, cancelledCount });
  else
    printLine(`${cancelledCount} ${cancelledCount === 1 ? "job" : "jobs"} of ${queue} cancelled`);
}

function rowOf(queue: Queue): readonly string[] {
  const counts = [queue.queuedCount, queue.heldBackCount, queue.runningCount, queue.scheduledCount];
  const limits = [queue.paused ? coloured("yellow", "paused") : "", limitsOf(queue)];
  return [
    queue.name,
    ...counts.map(String),
    ageOf(queue),
    limits.filter((text) => text !== "").join(", "),
  ];
}

function limitsOf({ limits }: Queue): string {
  const { maxRunning = 0, rate, maxWaiting = 0 } = limits ?? {};
  const parts = [
    maxRunning === 0 ? "" : `${maxRunning} running`,
    rate === undefined ? "" : `${rate.count} starts in ${spanOf(rate.period)}`,
    maxWaiting === 0 ? "" : `${maxWaiting} waiting`,
  ];
  return parts.filter((text) => text !== "").join(", ");
}

function ageOf({ oldestWaitingAge }: Queue): string {
  return oldestWaitingAge === undefined ? "" : spanOf(oldestWaitingAge);
}

function spanOf(span: Queue["oldestWaitingAge"]): string {
  const { seconds, nanos } = span ?? { seconds: 0, nanos: 0 };
  if (seconds === 0) return `${Math.round(nanos / 1_000_000)} ms`;
  return `${seconds + Math.round(nanos / 100_000_000) / 10} s`;
}
