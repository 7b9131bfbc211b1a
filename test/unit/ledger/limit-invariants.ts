// What must hold of queues, limits and their lines after every command, looked up the slow way.
//
// Guarantees: nothing of the ledger's counts, lines or indexes is used except to compare them with
// one look at all jobs. It runs after every command of random logs, so it takes no more than that.

import assert from "node:assert/strict";
import type { Ledger } from "../../../ledger/ledger.ts";
import type { QueueRecord } from "../../../ledger/queue.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import type { Applied } from "../../../ledger/result.ts";

/** Of the jobs of a queue, or under a concurrency key. */
interface Seen {
  running: number;
  readonly runners: JobRecord[];
  /** Before workers, with a place put by. */
  letIn: number;
  readonly waiting: JobRecord[];
  readonly scheduled: JobRecord[];
  /** In the line of the queue, or of the key. */
  readonly line: JobRecord[];
  readonly byState: Record<string, number>;
}

interface Look {
  readonly queues: Map<string, Seen>;
  readonly keys: Map<string, Seen>;
  readonly all: Seen;
}

/** After a start: nothing runs beyond a limit that the started job is under. */
export function checkStart(ledger: Ledger, { result, changes }: Applied): void {
  if (result.kind !== "started" || changes.length === 0) return;
  const { job } = result;
  const look = lookAt(ledger);
  for (const { key } of job.concurrencyKeys) {
    const { running, runners } = look.keys.get(key) ?? nothingSeen();
    const least = leastLimit(runners, key);
    assert.ok(running <= least, `${running} run under ${key}, ${least} may`);
  }
  const queue = ledger.queues.get(job.queue);
  assert.ok(queue !== undefined && !queue.isPaused && !ledger.allQueues.isPaused);
  const running = look.queues.get(job.queue)?.running ?? 0;
  const { runningMax, rateCount, ratePeriodMs } = queue.limits;
  assert.ok(runningMax === 0 || running <= runningMax, `${running} run in ${job.queue}`);
  const allMax = ledger.allQueues.runningMax;
  assert.ok(allMax === 0 || look.all.running <= allMax, `${look.all.running} run`);
  if (rateCount === 0) return;
  const recent = queue.recentStarts.filter((at) => at > ledger.clockMs - ratePeriodMs);
  assert.ok(recent.length <= rateCount, `${recent.length} starts in a period`);
}

export function checkLimits(ledger: Ledger): void {
  const look = lookAt(ledger);
  for (const queue of ledger.queues.values()) checkQueue(ledger, queue, look);
  for (const name of look.queues.keys()) assert.ok(ledger.queues.has(name));
  assert.equal(ledger.allQueues.claimed, look.all.letIn);
  for (const queue of ledger.heldQueues) assert.ok(queue.line.size > 0, queue.name);
  for (const queue of ledger.queues.values()) {
    assert.ok(queue.line.size === 0 || ledger.heldQueues.has(queue), queue.name);
  }
  for (const [key, seen] of look.keys) checkKey(ledger, key, seen);
  for (const key of ledger.keyGates.keys()) assert.ok(look.keys.has(key));
}

/** The times at which a tick has something to do for a line. After checkLimits. */
export function limitTimes(ledger: Ledger): number[] {
  if (ledger.keysDue.size > 0) return [ledger.clockMs];
  if (ledger.heldQueues.size === 0) return [];
  const look = lookAt(ledger);
  return [...ledger.heldQueues].flatMap((queue) => {
    if (hasRoom(ledger, queue, look)) return [ledger.clockMs];
    if (queue.isPaused || ledger.allQueues.isPaused || queue.limits.rateCount === 0) return [];
    const recent = recentOf(ledger, queue);
    if (recent.length + queue.claimed < queue.limits.rateCount) return [];
    const times = recent.map((at) => at + queue.limits.ratePeriodMs);
    return times.length === 0 ? [] : [Math.min(...times, Number.MAX_SAFE_INTEGER)];
  });
}

function lookAt(ledger: Ledger): Look {
  const look: Look = { queues: new Map(), keys: new Map(), all: nothingSeen() };
  for (const job of ledger.jobs) {
    const isWaiting = job.state === "queued" || job.state === "scheduled";
    assert.equal(job.arrival > 0, isWaiting);
    if (job.waitsAt !== "") assert.deepEqual([job.state, job.parkedFor], ["queued", ""]);
    see(look.all, job);
    const inQueue = seenAt(look.queues, job.queue);
    see(inQueue, job);
    if (job.waitsAt === "queue") inQueue.line.push(job);
    for (const { key } of job.concurrencyKeys) {
      const under = seenAt(look.keys, key);
      see(under, job);
      if (job.waitsAt === `key:${key}`) under.line.push(job);
    }
  }
  return look;
}

function see(seen: Seen, job: JobRecord): void {
  seen.byState[job.state] = (seen.byState[job.state] ?? 0) + 1;
  if (job.state === "running") {
    seen.running += 1;
    seen.runners.push(job);
  }
  if (job.claimExpiryMs > 0 && job.waitsAt === "") seen.letIn += 1;
  if (job.state === "queued") seen.waiting.push(job);
  if (job.state === "scheduled") seen.scheduled.push(job);
}

function checkQueue(ledger: Ledger, queue: QueueRecord, look: Look): void {
  const seen = look.queues.get(queue.name) ?? nothingSeen();
  for (const [state, count] of Object.entries(queue.byState)) {
    assert.equal(count, seen.byState[state] ?? 0, `${state} jobs`);
  }
  assert.deepEqual(arrivals(queue.waiting), arrivals(seen.waiting).sort(rising));
  assert.deepEqual(arrivals(queue.scheduled), arrivals(seen.scheduled).sort(rising));
  assert.equal(queue.claimed, seen.letIn);
  assert.equal(queue.line.size, seen.line.length);
  const first = firstOf(seen.line);
  assert.equal(queue.line.first()?.item, first);
  if (first !== undefined && hasRoom(ledger, queue, look)) {
    assert.ok(limitTimes(ledger).includes(ledger.clockMs), `${first.id} is stranded`);
  }
}

function checkKey(ledger: Ledger, key: string, seen: Seen): void {
  const claimants = seen.waiting.filter((job) => {
    return job.claimExpiryMs > 0 && !job.waitsAt.startsWith("key:");
  });
  const claimed = claimants.length;
  const gate = ledger.keyGates.get(key);
  const counts = [gate?.running.count ?? 0, gate?.claimed.count ?? 0, gate?.line.size ?? 0];
  assert.deepEqual(counts, [seen.running, claimed, seen.line.length], `counts of ${key}`);
  const first = firstOf(seen.line);
  assert.equal(gate?.line.first()?.item, first);
  const limit = first === undefined ? 0 : leastLimit([first, ...claimants, ...seen.runners], key);
  const isStranded = seen.running + claimed < limit && !ledger.keysDue.has(key);
  assert.ok(!isStranded, `${first?.id} is stranded before ${key}`);
}

function hasRoom(ledger: Ledger, queue: QueueRecord, look: Look): boolean {
  const here = look.queues.get(queue.name) ?? nothingSeen();
  const { runningMax, rateCount } = queue.limits;
  const allMax = ledger.allQueues.runningMax;
  return (
    !queue.isPaused &&
    !ledger.allQueues.isPaused &&
    (runningMax === 0 || here.running + here.letIn < runningMax) &&
    (allMax === 0 || look.all.running + look.all.letIn < allMax) &&
    (rateCount === 0 || recentOf(ledger, queue).length + here.letIn < rateCount)
  );
}

function recentOf(ledger: Ledger, queue: QueueRecord): number[] {
  return queue.recentStarts.filter((at) => at > ledger.clockMs - queue.limits.ratePeriodMs);
}

function firstOf(line: readonly JobRecord[]): JobRecord | undefined {
  let first: JobRecord | undefined;
  for (const job of line) if (first === undefined || comesBefore(job, first)) first = job;
  return first;
}

function comesBefore(one: JobRecord, other: JobRecord): boolean {
  const [mine, theirs] = [one, other].map(({ priority }) => {
    return Math.floor(Math.min(1_000, Math.max(0, priority || 0)));
  });
  if (mine === theirs) return one.arrival < other.arrival;
  return (mine ?? 0) > (theirs ?? 0);
}

function leastLimit(jobs: readonly JobRecord[], key: string): number {
  const limits = jobs.map(({ concurrencyKeys }) => concurrencyKeys.find((one) => one.key === key));
  return Math.min(...limits.map((one) => one?.limit ?? Number.POSITIVE_INFINITY));
}

function seenAt(map: Map<string, Seen>, name: string): Seen {
  const known = map.get(name) ?? nothingSeen();
  map.set(name, known);
  return known;
}

function nothingSeen(): Seen {
  return { running: 0, runners: [], letIn: 0, waiting: [], scheduled: [], line: [], byState: {} };
}

function arrivals(jobs: Iterable<JobRecord>): number[] {
  return Array.from(jobs, ({ arrival }) => arrival);
}

function rising(one: number, other: number): number {
  return one - other;
}
