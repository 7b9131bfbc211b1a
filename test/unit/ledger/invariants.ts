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
import type { JobRecord } from "../../../ledger/record.ts";
import type { Applied } from "../../../ledger/result.ts";

const QUIET = ["fenced", "submit-refused", "cancel-refused", "job-not-found", "renewed"];

export class Invariants {
  readonly #states = new Map<string, JobState>();
  readonly #dispatches = new Map<string, number>();
  readonly #ended = new Map<string, string>();
  readonly #lastTokens = new Map<string, number>();
  /** Lock key to the cancelled attempt whose handler may still run. */
  readonly #stopping = new Map<string, { readonly token: number; readonly untilMs: number }>();

  check(ledger: Ledger, index: number, command: Command, applied: Applied): void {
    this.follow(index, command, applied);
    this.scan(ledger);
  }

  /** The part that costs what the command changed: for every one of them. */
  follow(index: number, command: Command, applied: Applied): void {
    this.#followChanges(index, applied);
    this.#checkFencing(applied);
    this.#followStopping(command, applied);
    if (QUIET.includes(applied.result.kind)) {
      // The report of a cancelled attempt records nothing, but it lets go of the keys.
      const isRelease = applied.result.kind === "fenced" && applied.result.state === "cancelled";
      const loud = applied.changes.filter(({ event }) => !isRelease || !event.endsWith("parked"));
      assert.equal(loud.length, 0);
    }
    if (command.body.kind === "open-term") assert.equal(applied.changes.length, 0);
  }

  /** The part that looks at every job. */
  scan(ledger: Ledger): void {
    for (const job of ledger.jobs) this.#checkHistory(job);
    checkLedger(ledger);
  }

  /** Every change is legal, and no state changes without one. */
  #followChanges(index: number, { changes }: Applied): void {
    for (const change of changes) {
      const { job, event } = change;
      assert.deepEqual([change.index, job.changeIndex], [index, index]);
      const before = this.#states.get(job.id);
      if (event === "parked" || event === "unparked") {
        assert.equal(before, JobState.Queued);
      } else {
        if (before === undefined) assert.ok(event === "scheduled" || event === "queued");
        else assert.ok(isLegalChange(before, event), `${before} to ${event}`);
        this.#states.set(job.id, event);
      }
      const isDispatch = event === "queued" || event === "unparked";
      this.#dispatches.set(job.id, (this.#dispatches.get(job.id) ?? 0) + (isDispatch ? 1 : 0));
    }
  }

  /** I16: tokens rise per job and per lock key. */
  #checkFencing({ result, changes }: Applied): void {
    if (result.kind !== "started" || changes.length === 0) return;
    const { job, token } = result;
    for (const name of [`job ${job.id}`, ...job.lockKeys.map((key) => `key ${key}`)]) {
      assert.ok(token > (this.#lastTokens.get(name) ?? 0), `I16: the token of ${name} rises`);
      this.#lastTokens.set(name, token);
    }
  }

  /** A key is free when the handler of a cancelled attempt has reported, or its lease is over. */
  #followStopping({ body }: Command, { result, changes }: Applied): void {
    if (body.kind === "finish-attempt") {
      for (const [key, { token }] of this.#stopping) {
        if (token === body.token) this.#stopping.delete(key);
      }
    }
    for (const { job, event } of changes) {
      const attempt = job.attempts.at(-1);
      if (event !== JobState.Cancelled || attempt?.outcome !== "cancelled") continue;
      const { token, leaseExpiryMs: untilMs } = attempt;
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

  #checkHistory(job: JobRecord): void {
    assert.equal(job.state, this.#states.get(job.id));
    assert.equal(job.dispatch, this.#dispatches.get(job.id));
    if (isTerminal(job.state)) this.#checkEnded(job);
  }

  /** I17: what has ended stays as it ended; only receipts are added. */
  #checkEnded(job: JobRecord): void {
    const { state, result, error, endMs, attempts, changeIndex, parkedFor } = job;
    const now = JSON.stringify({ state, result, error, endMs, attempts, changeIndex, parkedFor });
    assert.equal(now, this.#ended.get(job.id) ?? now, "I17: what has ended stays");
    this.#ended.set(job.id, now);
  }
}

/** What can be seen of a ledger without its history, such as one that was restored. */
export function checkLedger(ledger: Ledger): void {
  for (const job of ledger.jobs) checkJob(job);
  checkCounts(ledger);
  checkLocks(ledger);
  checkIndexes(ledger);
}

function checkJob(job: JobRecord): void {
  const live = job.attempts.filter((one) => one.outcome === "started");
  assert.deepEqual(live, job.state === JobState.Running ? job.attempts.slice(-1) : []);
  assert.equal(job.currentToken, live[0]?.token ?? 0);
  const used = job.attempts.filter((one) => !["started", "handed-back"].includes(one.outcome));
  assert.equal(job.attemptsUsed, used.length);
  assert.ok(job.attemptsUsed <= job.maxAttempts);
  const succeeded = job.attempts.filter((one) => one.outcome === "succeeded");
  assert.equal(succeeded.length, job.state === JobState.Succeeded ? 1 : 0);
  assert.equal(job.result !== null, job.state === JobState.Succeeded);
  assert.equal(job.error !== null, ["failed", "cancelled"].includes(job.state));
}

/** I17: each accepted job is in one state; the counters are what a count gives. */
function checkCounts(ledger: Ledger): void {
  const jobs = ledger.jobs;
  const inState = (state: JobState) => jobs.filter((job) => job.state === state).length;
  const attempts = jobs.flatMap((job) => job.attempts);
  const [succeeded, failed] = [inState("succeeded"), inState("failed")];
  const { deduplicated, ...counted } = counts(ledger);
  assert.ok(deduplicated >= 0);
  assert.deepEqual(counted, {
    accepted: jobs.length,
    scheduled: inState("scheduled"),
    queued: inState("queued"),
    running: inState("running"),
    succeeded,
    failed,
    cancelled: inState("cancelled"),
    recorded: succeeded + failed,
    refusedLate: jobs.reduce((sum, job) => sum + job.refusedCount, 0),
    attemptsStarted: attempts.length,
    attemptsLost: attempts.filter((one) => one.outcome === "lost").length,
  });
}

/** One running job a key; whoever is parked waits for a key that somebody has or will free. */
function checkLocks(ledger: Ledger): void {
  const running = ledger.jobs.filter((job) => job.state === JobState.Running);
  const stopping = ledger.jobs.filter((job) => job.keysUntilMs > 0);
  for (const job of stopping) assert.equal(job.state, JobState.Cancelled);
  const heldKeys = [...running, ...stopping].flatMap((job) => job.lockKeys);
  assert.equal(new Set(heldKeys).size, heldKeys.length, "two running jobs share a key");
  assert.deepEqual([...ledger.holders.keys()].sort(), heldKeys.toSorted());
  const claiming = ledger.jobs.filter((job) => job.claimExpiryMs > 0);
  const claimedKeys = claiming.flatMap((job) => job.lockKeys);
  assert.deepEqual([...ledger.claims.keys()].sort(), claimedKeys.toSorted());
  for (const job of claiming) assert.deepEqual([job.state, job.parkedFor], ["queued", ""]);
  for (const job of ledger.jobs.filter((one) => one.parkedFor !== "")) {
    assert.equal(job.state, JobState.Queued);
    assert.ok(job.lockKeys.includes(job.parkedFor));
    assert.ok([...heldKeys, ...claimedKeys].includes(job.parkedFor), `${job.id} is stranded`);
  }
}

/** The indexes give what a look at every job gives. */
function checkIndexes(ledger: Ledger): void {
  const inBullMq = ledger.jobs.filter((job) => job.state === "queued" && job.parkedFor === "");
  assert.deepEqual(idsOf(queuedJobs(ledger)).sort(), idsOf(inBullMq).sort());
  const due = ledger.jobs.flatMap((job) => dueTimes(job, ledger.termOpenedMs));
  assert.equal(nextDueMs(ledger), due.length === 0 ? null : Math.min(...due));
  const { jobs } = listJobs(ledger, { limit: Number.POSITIVE_INFINITY });
  assert.deepEqual(idsOf(jobs), idsOf(ledger.jobs).reverse());
}

function idsOf(jobs: Iterable<Readonly<Job>>): string[] {
  return [...jobs].map((job) => job.id);
}

function dueTimes(job: JobRecord, termOpenedMs: number): number[] {
  if (job.state === "scheduled") return [job.runAtMs];
  if (job.state === "queued") return job.claimExpiryMs > 0 ? [job.claimExpiryMs] : [];
  if (job.state === "cancelled") return job.keysUntilMs > 0 ? [job.keysUntilMs] : [];
  const attempt = job.attempts.at(-1);
  if (job.state !== "running" || attempt === undefined) return [];
  if (job.attemptTimeoutMs === 0) return [attempt.leaseExpiryMs];
  const overMs = Math.max(attempt.startMs + job.attemptTimeoutMs, termOpenedMs) + attempt.leaseMs;
  return [attempt.leaseExpiryMs, Math.min(overMs, Number.MAX_SAFE_INTEGER)];
}
