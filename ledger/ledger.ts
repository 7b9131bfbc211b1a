// The replicated state machine: each committed command, once, in log order.
//
// Guarantees: `apply` is total: for any command it returns a result, never throws (what it asserts
// are bugs of ours). It is deterministic: time and randomness come from the command, no order from
// anything but the log. Replicas that have applied the same commands have equal hashes.
// This file is the switch; each rule has its own file (see README.md).

import { assert } from "./assert.ts";
import { finishAttempt, renewLeases, startAttempt } from "./attempt.ts";
import { cancelJob } from "./cancel.ts";
import type { Command, CommandBody } from "./command.ts";
import { drainQueue } from "./drain-queue.ts";
import { settleFamilies } from "./family.ts";
import { acquireLock, releaseLocks, renewLocks } from "./lock-command.ts";
import { wholeMs } from "./milliseconds.ts";
import { reportProgress } from "./progress.ts";
import { registerKinds } from "./registry.ts";
import type { Applied, Change, LockChange, Result } from "./result.ts";
import { forgetJobs } from "./retention.ts";
import { retryJob, retryJobs } from "./retry.ts";
import { createSchedule, deleteSchedule, setSchedulePaused } from "./schedule-admin.ts";
import { setQueue } from "./set-queue.ts";
import { firePendingOfAll, tickSchedules } from "./slots.ts";
import type { Ledger, Turn } from "./state.ts";
import { submitJobs } from "./submit.ts";
import { openTerm, tick } from "./tick.ts";
import { triggerSchedule } from "./trigger.ts";
import { WAKES_MAX } from "./wake.ts";

export type { Counts } from "./counts.ts";
export { hash } from "./hash.ts";
export { type HeldKey, heldKey, listLocks, lockStanding } from "./lock-standing.ts";
export {
  clockMs,
  counts,
  dueSchedules,
  getJob,
  getSchedule,
  isDispatchOver,
  isKnownQueue,
  type JobFilter,
  type JobPage,
  listJobs,
  listSchedules,
  nextDueMs,
  nextSlotDueMs,
  queuedJobs,
  type SchedulePage,
} from "./query.ts";
export { allQueuesView, type QueueView, queueViews } from "./queue-view.ts";
export { LedgerRestore, type RestoreFailure, type RestoreFault } from "./restore.ts";
export { hasToForget } from "./retention.ts";
export { type ScheduleStanding, scheduleStanding } from "./schedule-standing.ts";
export { type SnapshotRecord, snapshotRecords } from "./snapshot.ts";
export { createLedger, type Ledger, type LedgerOptions } from "./state.ts";

/**
 * Applies the command of the entry at `index`; indexes rise, gaps are entries without a command.
 */
export function apply(ledger: Ledger, index: number, command: Command): Applied {
  assert(
    Number.isSafeInteger(index) && index > ledger.appliedIndex,
    `entry ${index} comes after ${ledger.appliedIndex}`,
  );
  ledger.appliedIndex = index;
  ledger.clockMs = Math.max(ledger.clockMs, wholeMs(command.timeMs));
  const changes: Change[] = [];
  const lockChanges: LockChange[] = [];
  const turn: Turn = {
    ledger,
    index,
    random: command.random >>> 0,
    changes,
    lockChanges,
    ended: [],
    acceptedBefore: ledger.counters.accepted,
    freedSchedules: new Set(),
    wakesLeft: WAKES_MAX,
  };
  const result = run(turn, command.body);
  settleFamilies(turn);
  // Last: families may end further jobs.
  firePendingOfAll(turn);
  return { result, changes, lockChanges };
}

function run(turn: Turn, body: CommandBody): Result {
  switch (body.kind) {
    case "submit-jobs":
      return submitJobs(turn, body.jobs);
    case "start-attempt":
      return startAttempt(turn, body);
    case "renew-leases":
      return renewLeases(turn, body);
    case "finish-attempt":
      return finishAttempt(turn, body);
    case "cancel-job":
      return cancelJob(turn, body);
    case "report-progress":
      return reportProgress(turn, body);
    case "retry-job":
      return retryJob(turn, body);
    case "retry-jobs":
      return retryJobs(turn, body);
    case "register-kinds":
      registerKinds(turn.ledger, body.kinds);
      return { kind: "done" };
    case "set-queue":
      return setQueue(turn, body);
    case "drain-queue":
      return drainQueue(turn, body);
    case "acquire-lock":
      return acquireLock(turn, body);
    case "renew-locks":
      return renewLocks(turn, body);
    case "release-locks":
      return releaseLocks(turn, body);
    case "tick":
      tick(turn);
      return { kind: "done" };
    case "open-term":
      openTerm(turn);
      return { kind: "done" };
    case "create-schedule":
      return createSchedule(turn, body);
    case "delete-schedule":
      return deleteSchedule(turn, body.scheduleId);
    case "set-schedule-paused":
      return setSchedulePaused(turn, body);
    case "trigger-schedule":
      return triggerSchedule(turn, body);
    case "tick-schedules":
      tickSchedules(turn, body.ticks);
      return { kind: "done" };
    case "forget-jobs":
      forgetJobs(turn, body);
      return { kind: "done" };
    case "checkpoint":
    case "unknown":
      return { kind: "done" };
  }
}
