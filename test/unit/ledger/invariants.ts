// What must hold of a ledger after every command, looked up the slow way.
//
// Guarantees: stateful over a whole log: what was true once (a terminal job, a token given) is
// remembered outside the ledger. Ids are those of the project's list (I16 fencing, I17
// conservation). Nothing here uses the ledger's indexes except to compare them with a scan.
// node:assert rather than expect: it runs for every job after every command, 100 times faster.

import assert from "node:assert/strict";
import type { Command } from "../../../ledger/command.ts";
import { isLegalChange, isTerminal, type Job, JobState } from "../../../ledger/job.ts";
import { counts, type Ledger, listJobs, nextDueMs, queuedJobs } from "../../../ledger/ledger.ts";
import type { LockRecord } from "../../../ledger/lock.ts";
import { isCutShort } from "../../../ledger/own-error.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import type { Applied } from "../../../ledger/result.ts";
import { DispatchInvariants } from "./dispatch-invariants.ts";
import { checkLimits, checkStart, limitTimes } from "./limit-invariants.ts";
import { checkSchedules, ScheduleInvariants } from "./schedule-invariants.ts";

const QUIET = [
  ...["fenced", "submit-refused", "cancel-refused", "retry-refused", "job-not-found", "renewed"],
];

export class Invariants {
  readonly #states = new Map<string, JobState>();
  readonly #dispatches = new Map<string, number>();
  readonly #ended = new Map<string, string>();
  readonly #lastTokens = new Map<string, number>();
  /** What is left to count of a job when it is forgotten. */
  readonly #last = new Map<string, JobRecord>();
  readonly #forgotten = new Map<string, JobRecord>();
  /** Lock key to the cancelled attempt whose handler may still run. */
  /** Jobs whose attempt the command that is followed has cut short. */
  #cut: JobRecord[] = [];
  readonly #stopping = new Map<string, { readonly token: number; readonly untilMs: number }>();
  readonly #schedules = new ScheduleInvariants();
  readonly #dispatched = new DispatchInvariants();

  check(ledger: Ledger, index: number, command: Command, applied: Applied): void {
    this.follow(index, command, applied);
    checkStart(ledger, applied);
    this.scan(ledger);
  }

  /** The part that costs what the command changed: for every one of them. */
  follow(index: number, command: Command, applied: Applied): void {
    this.#followChanges(index, applied);
    this.#checkFencing(applied);
    this.#followStopping(command, applied);
    if (command.body.kind === "report-progress") checkReports(command.body, applied);
    if (QUIET.includes(applied.result.kind)) {
      // The report of a cancelled attempt records nothing, but it lets go of the keys.
      const isRelease = applied.result.kind === "fenced" && applied.result.state !== "running";
      const loud = applied.changes.filter(({ event }) => !isRelease || !event.endsWith("parked"));
      assert.equal(loud.length, 0);
    }
    if (command.body.kind === "open-term") assert.equal(applied.changes.length, 0);
  }

  /** The part that looks at every job. */
  scan(ledger: Ledger): void {
    for (const job of ledger.jobs) this.#checkHistory(job);
    this.#schedules.check(ledger);
    this.#dispatched.check(ledger);
    this.#checkForgotten(ledger);
    checkLedger(ledger, [...this.#forgotten.values()]);
  }

  /** Every change is legal, and no state changes without one. */
  #followChanges(index: number, { changes }: Applied): void {
    this.#cut = [];
    for (const change of changes) {
      const { job, event } = change;
      assert.deepEqual([change.index, job.changeIndex], [index, index]);
      const before = this.#states.get(job.id);
      if (event === "parked" || event === "unparked") {
        assert.equal(before, JobState.Queued);
      } else if (event === "progress") {
        assert.equal(before, JobState.Running);
      } else {
        // It may be forgotten before anybody looks at all jobs again.
        if (before === undefined) this.#last.set(job.id, job as JobRecord);
        if (before === undefined) assert.ok(event === "scheduled" || event === "queued");
        else assert.ok(isLegalChange(before, event), `${before} to ${event}`);
        this.#states.set(job.id, event);
        const record = job as JobRecord;
        const last = record.attempts.at(-1);
        const isCut = before === JobState.Running && last !== undefined && isCutShort(last);
        if (isCut && isTerminal(event)) this.#cut.push(record);
      }
      const isDispatch = event === "queued" || event === "unparked";
      this.#dispatches.set(job.id, (this.#dispatches.get(job.id) ?? 0) + (isDispatch ? 1 : 0));
    }
  }

  /** I16: tokens rise per job and per lock key, whoever holds it. */
  #checkFencing({ result, changes, lockChanges }: Applied): void {
    for (const { lock, event } of lockChanges) {
      if (event === "granted") this.#checkRise(lock.token, lock.lockKeys);
    }
    if (result.kind !== "started" || changes.length === 0) return;
    const { job, token } = result;
    this.#checkRise(token, job.lockKeys);
    const last = job.attempts.at(-2)?.token ?? 0;
    assert.ok(token > last, `I16: the token of ${job.id} rises`);
  }

  #checkRise(token: number, keys: readonly string[]): void {
    for (const key of keys) {
      assert.ok(token > (this.#lastTokens.get(key) ?? 0), `I16: the token of ${key} rises`);
      this.#lastTokens.set(key, token);
    }
  }

  /** A key is free when the handler of a cancelled attempt has reported, or its lease is over. */
  #followStopping({ body }: Command, { result, changes }: Applied): void {
    if (body.kind === "finish-attempt") {
      for (const [key, { token }] of this.#stopping) {
        if (token === body.token) this.#stopping.delete(key);
      }
    }
    for (const job of this.#cut) {
      const { token = 0, leaseExpiryMs: untilMs = 0 } = job.attempts.at(-1) ?? {};
      for (const key of job.lockKeys) this.#stopping.set(key, { token, untilMs });
    }
    if (result.kind !== "started" || changes.length === 0) return;
    const startMs = result.job.attempts.at(-1)?.startMs ?? 0;
    for (const key of result.job.lockKeys) {
      const untilMs = this.#stopping.get(key)?.untilMs ?? 0;
      assert.ok(startMs >= untilMs, `I16: ${key} is taken while a cancelled handler may run`);
      this.#stopping.delete(key);
    }
  }

  /** Only what had ended and held nothing is gone, and it stays gone. */
  #checkForgotten(ledger: Ledger): void {
    const here = new Set<string>();
    for (const job of ledger.jobs) {
      here.add(job.id);
      this.#last.set(job.id, job);
    }
    for (const [id, job] of this.#last) {
      if (here.has(id)) continue;
      assert.ok(isTerminal(job.state) && job.keysUntilMs === 0, `I17: ${id} was needed`);
      this.#forgotten.set(id, job);
      this.#last.delete(id);
    }
    for (const id of this.#forgotten.keys()) assert.ok(!here.has(id), `I17: ${id} came back`);
    assert.equal(this.#forgotten.size, counts(ledger).forgotten);
  }

  #checkHistory(job: JobRecord): void {
    assert.equal(job.state, this.#states.get(job.id));
    assert.equal(job.dispatch, this.#dispatches.get(job.id));
    if (isTerminal(job.state)) this.#checkEnded(job);
  }

  /** I17: what has ended stays as it ended, until it is retried; only receipts are added. */
  #checkEnded(job: JobRecord): void {
    const { state, result, error, endMs, attempts, changeIndex, parkedFor, logLineCount } = job;
    const { progress, deadlineMs } = job;
    const told = { progress, logLineCount, deadlineMs };
    const end = { state, result, error, endMs, attempts, changeIndex, parkedFor, told };
    const [now, run] = [JSON.stringify(end), `${job.id} ${job.run}`];
    assert.equal(now, this.#ended.get(run) ?? now, "I17: what has ended stays");
    this.#ended.set(run, now);
  }
}

/** I16: only what the current attempt tells is on its job's record. */
function checkReports(
  { reports }: Extract<Command["body"], { kind: "report-progress" }>,
  { changes }: Applied,
): void {
  for (const { job } of changes) {
    const token = job.attempts.at(-1)?.token;
    const isTold = reports.some((report) => report.jobId === job.id && report.token === token);
    assert.ok(isTold, `I16: ${job.id} is told by its attempt ${token}`);
  }
}

/**
 * What can be seen of a ledger without its history, such as one that was restored. Without the jobs
 * that it has forgotten, there may have been any.
 */
export function checkLedger(ledger: Ledger, forgotten?: readonly JobRecord[]): void {
  for (const job of ledger.jobs) checkJob(job);
  checkCounts(ledger, forgotten);
  checkLocks(ledger);
  checkLimits(ledger);
  checkOutsideLocks(ledger);
  checkIndexes(ledger);
  checkSchedules(ledger);
  checkFamilies(ledger);
}

function checkJob(job: JobRecord): void {
  const live = job.attempts.filter((one) => one.outcome === "started");
  assert.deepEqual(live, job.state === JobState.Running ? job.attempts.slice(-1) : []);
  assert.equal(job.currentToken, live[0]?.token ?? 0);
  const ofRun = job.attempts.filter((one) => one.run === job.run);
  const used = ofRun.filter((one) => !["started", "handed-back"].includes(one.outcome));
  assert.equal(job.run, job.earlierRuns.length + 1);
  assert.ok(job.logLines.length <= Math.min(100, job.logLineCount));
  assert.equal(job.attemptsUsed, used.length);
  assert.ok(job.attemptsUsed <= job.maxAttempts);
  const succeeded = job.attempts.filter((one) => one.outcome === "succeeded");
  assert.equal(succeeded.length, job.state === JobState.Succeeded ? 1 : 0);
  assert.equal(job.result !== null, job.state === JobState.Succeeded);
  assert.equal(job.error !== null, ["failed", "cancelled"].includes(job.state));
}

/** I17: each accepted job is in one state or forgotten; the counters are what a count gives. */
function checkCounts(ledger: Ledger, forgotten?: readonly JobRecord[]): void {
  const kept = [...ledger.jobs];
  const jobs = [...kept, ...(forgotten ?? [])];
  const inState = (state: JobState) => kept.filter((job) => job.state === state).length;
  const attempts = jobs.flatMap((job) => job.attempts);
  const hasResult = ({ state }: JobRecord) => state === "succeeded" || state === "failed";
  const runs = jobs.flatMap((job) => job.earlierRuns);
  const counted = counts(ledger);
  assert.ok(counted.deduplicated >= 0 && counted.locksGranted >= counted.locksExpired);
  const lasting = {
    // Each run that failed before was recorded, too.
    recorded: jobs.filter(hasResult).length + runs.filter(({ state }) => state === "failed").length,
    retried: runs.length,
    refusedLate: jobs.reduce((sum, job) => sum + job.refusedCount, 0),
    attemptsStarted: attempts.length,
    attemptsLost: attempts.filter((one) => one.outcome === "lost").length,
  };
  const isKnown = forgotten !== undefined || counted.forgotten === 0;
  for (const [name, value] of Object.entries(lasting)) {
    const count = counted[name as keyof typeof lasting];
    assert.ok(isKnown ? count === value : count >= value, `I17: ${name} is ${count}, not ${value}`);
  }
  assert.equal(counted.accepted, kept.length + counted.forgotten);
  for (const state of Object.values(JobState)) assert.equal(counted[state], inState(state));
}

/** One running job a key; whoever is parked waits for a key that somebody has or will free. */
function checkLocks(ledger: Ledger): void {
  const running = [...ledger.jobs].filter((job) => job.state === JobState.Running);
  const stopping = [...ledger.jobs].filter((job) => job.keysUntilMs > 0);
  for (const { state, pendingChildCount } of stopping) {
    // A parent that was retried waits for children while its last handler may still run.
    const isParent = state === "scheduled" && pendingChildCount > 0;
    assert.ok(isParent || ["cancelled", "failed", "queued"].includes(state));
  }
  const locks = [...ledger.locks.values()];
  const held = locks.filter(({ state }) => state === "held");
  const heldKeys = [...running, ...stopping, ...held].flatMap((one) => one.lockKeys);
  assert.equal(new Set(heldKeys).size, heldKeys.length, "two holders share a key");
  assert.deepEqual([...ledger.holders.keys()].sort(), heldKeys.toSorted());
  const claiming = [...ledger.jobs].filter((job) => job.claimExpiryMs > 0);
  const claimedKeys = claiming.flatMap((job) => job.lockKeys);
  assert.deepEqual([...ledger.claims.keys()].sort(), claimedKeys.toSorted());
  for (const job of claiming) assert.deepEqual([job.state, job.parkedFor], ["queued", ""]);
  const parked = [...ledger.jobs].filter((one) => one.parkedFor !== "");
  for (const job of parked) assert.equal(job.state, JobState.Queued);
  const waiting = [...parked, ...locks.filter(({ state }) => state === "waiting")];
  const taken = new Set([...heldKeys, ...claimedKeys]);
  // In the order of places: whom nobody holds up is stranded, and those behind may wait for it.
  for (const one of waiting.toSorted((a, b) => a.place - b.place)) {
    assert.ok(one.place > 0 && one.lockKeys.includes(one.parkedFor));
    assert.ok(taken.has(one.parkedFor), `${one.id} is stranded`);
    for (const key of one.lockKeys) taken.add(key);
  }
  const standing = waiting.flatMap((one) => one.lockKeys.map((key) => [key, one.id].join()));
  const lines = [...ledger.lines].map(([key, line]) => [key, line.first()?.item.id].join());
  for (const first of lines) assert.ok(standing.includes(first), `${first} is first in no line`);
  assert.equal(
    [...ledger.lines.values()].reduce((sum, line) => sum + line.size, 0),
    standing.length,
  );
}

/** A lock is in one state, and each list of them has the right ones. */
function checkOutsideLocks(ledger: Ledger): void {
  const locks = [...ledger.locks.values()];
  for (const lock of locks) {
    const { id, state, token, place, parkedFor, end } = lock;
    assert.equal(ledger.locks.get(id), lock);
    assert.equal(end !== null, state === "over", id);
    assert.equal(place > 0, state === "waiting", id);
    assert.equal(parkedFor !== "", state === "waiting", id);
    if (state !== "over") assert.equal(token > 0, state === "held", id);
  }
  const over = locks.filter(({ state }) => state === "over").map(({ id }) => id);
  assert.deepEqual([...ledger.endedLocks].map(({ id }) => id).sort(), over.sort());
  const named = locks.filter(({ requestId }) => requestId !== "");
  assert.deepEqual([...ledger.locksByRequest.values()].length, named.length);
  for (const lock of named) assert.equal(ledger.locksByRequest.get(lock.requestId), lock);
}

/** Parents and children name each other, and a parent counts those that have not ended. */
function checkFamilies(ledger: Ledger): void {
  for (const job of ledger.jobs) {
    const children = job.childJobIds.flatMap((id) => ledger.jobs.get(id) ?? []);
    for (const child of children) assert.equal(child.parentJobId, job.id);
    const open = children.filter(({ state }) => !isTerminal(state));
    assert.equal(job.pendingChildCount, open.length, `${job.id} waits for who has not ended`);
    // Who ended long ago may be forgotten.
    const parent = ledger.jobs.get(job.parentJobId);
    if (parent !== undefined)
      assert.ok(parent.childJobIds.includes(job.id), `${job.id} is a child`);
  }
}

/** The indexes give what a look at every job gives. */
function checkIndexes(ledger: Ledger): void {
  const inBullMq = [...ledger.jobs].filter(
    (job) => job.state === "queued" && `${job.parkedFor}${job.waitsAt}` === "",
  );
  assert.deepEqual(idsOf(queuedJobs(ledger)).sort(), idsOf(inBullMq).sort());
  const jobsDue = [...ledger.jobs].flatMap((job) => dueTimes(job, ledger.termOpenedMs));
  const due = [...jobsDue, ...[...ledger.locks.values()].flatMap(lockDueTimes)];
  due.push(...limitTimes(ledger));
  assert.equal(nextDueMs(ledger), due.length === 0 ? null : Math.min(...due));
  const isOver = (job: JobRecord) => isTerminal(job.state) && job.keysUntilMs === 0;
  const ids = new Set(idsOf(ledger.jobs));
  const mayGo = [...ledger.jobs].filter((job) => isOver(job) && !ids.has(job.parentJobId));
  assert.equal(ledger.ended.size, mayGo.length);
  const { jobs } = listJobs(ledger, { limit: Number.POSITIVE_INFINITY });
  assert.deepEqual(idsOf(jobs), idsOf(ledger.jobs).reverse());
  for (const state of Object.values(JobState)) checkList(ledger, { state });
  for (const { kind, queue, state, scheduleId, parentJobId } of jobs.slice(0, 3)) {
    for (const filter of [{ kind }, { queue }, { kind, queue, state }]) checkList(ledger, filter);
    for (const filter of [{ scheduleId }, { scheduleId, state }]) checkList(ledger, filter);
    for (const filter of [{ parentJobId }, { parentJobId, kind }]) checkList(ledger, filter);
  }
}

type Filter = Pick<Job, "state" | "kind" | "queue" | "scheduleId" | "parentJobId">;

function checkList(ledger: Ledger, filter: Partial<Filter>): void {
  const { jobs } = listJobs(ledger, { ...filter, limit: Number.POSITIVE_INFINITY });
  const wanted = [...ledger.jobs].filter((job) => {
    return (Object.keys(filter) as (keyof typeof filter)[]).every(
      // An empty name, which only a test can give, asks for all.
      (name) => filter[name] === "" || job[name] === filter[name],
    );
  });
  assert.deepEqual(idsOf(jobs), idsOf(wanted).reverse());
}

function idsOf(jobs: Iterable<Readonly<Job>>): string[] {
  return [...jobs].map((job) => job.id);
}

function lockDueTimes({ state, expiryMs, waitUntilMs }: LockRecord): number[] {
  if (state === "over") return [];
  return state === "held" ? [expiryMs] : [expiryMs, waitUntilMs];
}

function dueTimes(job: JobRecord, termOpenedMs: number): number[] {
  const keys = job.keysUntilMs > 0 ? [job.keysUntilMs] : [];
  const deadline = job.deadlineMs > 0 && !isTerminal(job.state) ? [job.deadlineMs] : [];
  return [...keys, ...deadline, ...ownDueTimes(job, termOpenedMs)];
}

function ownDueTimes(job: JobRecord, termOpenedMs: number): number[] {
  if (job.state === "scheduled") return job.pendingChildCount > 0 ? [] : [job.runAtMs];
  if (job.state === "queued") return job.claimExpiryMs > 0 ? [job.claimExpiryMs] : [];
  const attempt = job.attempts.at(-1);
  if (job.state !== "running" || attempt === undefined) return [];
  if (job.attemptTimeoutMs === 0) return [attempt.leaseExpiryMs];
  const overMs = Math.max(attempt.startMs + job.attemptTimeoutMs, termOpenedMs) + attempt.leaseMs;
  return [attempt.leaseExpiryMs, Math.min(overMs, Number.MAX_SAFE_INTEGER)];
}
