// Parents and children: what the end of one job means for the others of its family.
//
//   child ends ──▶ its parent has one less to wait for ──none left──▶ the parent falls due
//     └─ without a result, and the parent says "fail-parent" ──▶ it is FAILED (CHILD_FAILED)
//   parent cancelled ──▶ all below it that has not ended is cancelled
//
// Guarantees: only an end goes up and only a cancellation goes down: a parent that failed leaves
// its other children at their work, whose results a new run of it finds. The end of a child costs
// the same however many siblings it has. All this happens when the command itself is done, parent
// after child, so that no rule meets a job that another rule is changing. Each parent ends: it
// waits for nothing but children that have not ended.
// Does not own: who is whose child (submit.ts).

import { assert } from "./assert.ts";
import { cancelNow } from "./cancel.ts";
import { enter } from "./change.ts";
import { indexDue } from "./due.ts";
import { isTerminal, JobState } from "./job.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";

export const CHILD_FAILED = "CHILD_FAILED";

/** Those that the ledger still has, in the order they were given. */
export function childrenOf(ledger: Ledger, { childJobIds }: JobRecord): readonly JobRecord[] {
  const children: JobRecord[] = [];
  for (const id of childJobIds) {
    const child = ledger.jobs.get(id);
    if (child !== undefined) children.push(child);
  }
  return children;
}

/** How many below it have not ended: what a cancellation of it comes to. */
export function openBelow(ledger: Ledger, job: JobRecord): number {
  const family = [job];
  let open = 0;
  // Grows while it is walked.
  for (const one of family) {
    for (const child of childrenOf(ledger, one)) {
      family.push(child);
      if (!isTerminal(child.state)) open += 1;
    }
  }
  return open;
}

/** To be called when the command has been applied. */
export function settleFamilies(turn: Turn): void {
  // What ends because of it is pushed meanwhile, and has its turn.
  for (const job of turn.ended) {
    if (job.parentPosition > 0) childEnded(turn, job);
    if (job.state === JobState.Cancelled) cancelBelow(turn, job);
  }
}

function childEnded(turn: Turn, child: JobRecord): void {
  const { ledger } = turn;
  const parent = ledger.jobs.get(child.parentJobId);
  if (parent === undefined) return;
  parent.pendingChildCount -= 1;
  assert(parent.pendingChildCount >= 0, `${parent.id} counts the children that have not ended`);
  // Who runs, or has ended, waits for nobody.
  if (parent.state !== JobState.Scheduled) return;
  if (child.state !== JobState.Succeeded && parent.onChildFailure === "fail-parent") {
    failParent(turn, parent, child);
  } else if (parent.pendingChildCount === 0) {
    fallDue(turn, parent);
  }
}

function failParent(turn: Turn, parent: JobRecord, child: JobRecord): void {
  const how = child.state === JobState.Cancelled ? "was cancelled" : "failed";
  const why = child.error === null ? "" : ` with ${child.error.code}`;
  parent.error = {
    code: CHILD_FAILED,
    message: `its child ${child.id} (${child.kind}) ${how}${why}`,
    retryable: false,
  };
  turn.ledger.counters.recorded += 1;
  enter(turn, parent, JobState.Failed);
}

/** At once, or when its own run time has come. */
function fallDue(turn: Turn, parent: JobRecord): void {
  const { clockMs } = turn.ledger;
  parent.runAtMs = Math.max(parent.runAtMs, clockMs);
  if (parent.runAtMs > clockMs) indexDue(turn.ledger, parent);
  else enter(turn, parent, JobState.Queued);
}

/**
 * Also below those that have ended: a parent that failed may have left others at their work. Those
 * that are cancelled here see to what is below them when it is their turn.
 */
function cancelBelow(turn: Turn, top: JobRecord): void {
  const parents = [top];
  // Grows while it is walked.
  for (const parent of parents) {
    const why = `its ${parent === top ? "parent" : "ancestor"} ${top.id} was cancelled`;
    for (const child of childrenOf(turn.ledger, parent)) {
      if (isTerminal(child.state)) parents.push(child);
      else cancelNow(turn, child, why);
    }
  }
}
