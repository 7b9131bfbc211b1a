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
import { wholeMs } from "./milliseconds.ts";
import { registerKinds } from "./registry.ts";
import type { Applied, Change, Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";
import { submitJobs } from "./submit.ts";
import { openTerm, tick } from "./tick.ts";

export type { Counts } from "./counts.ts";
export { hash } from "./hash.ts";
export {
  clockMs,
  counts,
  getJob,
  type JobFilter,
  type JobPage,
  listJobs,
  nextDueMs,
  queuedJobs,
} from "./query.ts";
export { LedgerRestore, type RestoreFailure, type RestoreFault } from "./restore.ts";
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
  const turn: Turn = { ledger, index, random: command.random >>> 0, changes };
  return { result: run(turn, command.body), changes };
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
    case "register-kinds":
      registerKinds(turn.ledger, body.kinds);
      return { kind: "done" };
    case "tick":
      tick(turn);
      return { kind: "done" };
    case "open-term":
      openTerm(turn);
      return { kind: "done" };
    case "checkpoint":
    case "unknown":
      return { kind: "done" };
  }
}
