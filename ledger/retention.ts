// Forgetting finished jobs: by age, and beyond so many the oldest first.
//
// Guarantees: an unfinished job is never forgotten, nor one whose handler may still run. Jobs go in
// the order in which they ended (then by number), some at a time, so that one command costs the
// same however many there are. A forgotten job's idempotency key stays for `keyMs` from the job's
// end, so that a repeat still gets the first job's id. Rules and limits are the command's: replicas
// may be configured differently for a while.
// Does not own: when it is proposed (transport/retention-keeper.ts).

import { assert } from "./assert.ts";
import type { CommandBody } from "./command.ts";
import { childrenOf } from "./family.ts";
import { type AskedMember, fingerprintOf } from "./fingerprint.ts";
import { isTerminal } from "./job.ts";
import { plusMs, wholeMs } from "./milliseconds.ts";
import { countOut, queueOf } from "./queue.ts";
import type { JobRecord } from "./record.ts";
import type { Ledger, Turn } from "./state.ts";

export type ForgetJobs = Extract<CommandBody, { kind: "forget-jobs" }>;
type Rule = Omit<ForgetJobs, "kind" | "keyMs" | "limit">;

/** Of jobs, and of keys, in one command: some milliseconds of work on every node. */
const LIMIT_MAX = 10_000;

/**
 * Whether nothing needs the job any more. A family goes from the top: a parent may be run anew and
 * reads its children's results, and its key stands for all of them.
 */
export function isForgettable(ledger: Ledger, job: JobRecord): boolean {
  const isOver = isTerminal(job.state) && job.keysUntilMs === 0;
  return isOver && (job.parentPosition === 0 || !ledger.jobs.has(job.parentJobId));
}

/** To be called whenever what `isForgettable` reads has changed. */
export function indexEnded(ledger: Ledger, job: JobRecord): void {
  if (isForgettable(ledger, job)) ledger.ended.set(job, job.endMs);
  else ledger.ended.remove(job);
}

export function forgetJobs({ ledger }: Turn, command: ForgetJobs): void {
  const limit = Math.min(wholeMs(command.limit), LIMIT_MAX);
  for (let work = 0; work < limit; ) {
    const job = firstToForget(ledger, command);
    if (job === null) break;
    work += forget(ledger, job, wholeMs(command.keyMs));
  }
  for (let count = 0; count < limit; count += 1) {
    if (!isKeyOver(ledger)) break;
    ledger.keys.dropFirstOver();
  }
}

/** Whether such a command would do anything now. One look, however many jobs there are. */
export function hasToForget(ledger: Ledger, rule: Rule): boolean {
  return isKeyOver(ledger) || firstToForget(ledger, rule) !== null;
}

function isKeyOver({ keys, clockMs }: Ledger): boolean {
  const first = keys.firstOver();
  return first !== undefined && first.untilMs <= clockMs;
}

function firstToForget(ledger: Ledger, rule: Rule): JobRecord | null {
  const first = ledger.ended.first();
  if (first === null) return null;
  const isTooOld = first.rank < rule.endedBeforeMs;
  const isTooMany = ledger.ended.size > rule.keptMax && first.rank < rule.spareBeforeMs;
  return isTooOld || isTooMany ? first.item : null;
}

/** How many jobs it looked at: those below it are of its work, though they stay. */
function forget(ledger: Ledger, job: JobRecord, keyMs: number): number {
  assert(isForgettable(ledger, job), `${job.id} has ended for good`);
  const untilMs = plusMs(job.endMs, keyMs);
  const keepsKey = job.idempotencyKey !== "" && untilMs > ledger.clockMs;
  // Before it is gone, and only if it is needed: it is of the whole family.
  const family = keepsKey ? familyBelow(ledger, job) : [job];
  ledger.ended.remove(job);
  ledger.keys.remove(job);
  ledger.jobs.remove(job);
  ledger.index.remove(job);
  ledger.counters.byState[job.state] -= 1;
  countOut(queueOf(ledger, job), job);
  ledger.counters.forgotten += 1;
  // They have nobody any more who needs them.
  for (const child of childrenOf(ledger, job)) indexEnded(ledger, child);
  if (keepsKey) keepKey(ledger, family, untilMs);
  return Math.max(family.length, 1 + job.childPositions.length);
}

function keepKey(ledger: Ledger, family: readonly JobRecord[], untilMs: number): void {
  const [job] = family;
  if (job === undefined) return;
  ledger.keys.keep({
    key: job.idempotencyKey,
    logIndex: job.logIndex,
    position: job.position,
    askedQueue: job.submitted.queue,
    queue: job.queue,
    fingerprint: fingerprintOf(family.map(memberOf)),
    members: family.slice(1).map(({ position }) => position),
    traceparent: job.traceparent,
    untilMs,
  });
}

/** The job, then its children, then theirs. */
function familyBelow(ledger: Ledger, top: JobRecord): JobRecord[] {
  const family = [top];
  // Grows while it is walked.
  for (const job of family) family.push(...childrenOf(ledger, job));
  return family;
}

function memberOf(job: JobRecord): AskedMember {
  return { spec: job.submitted, childCount: job.childJobIds.length };
}
