// Answers clients' reads from a ledger that has applied enough (ReadIndex is the driver's part).
//
// Guarantees: an answer fits one message: a list gives at most a page, and both a list and a read
// of many jobs stop with has_more before the bytes get too many, in the order asked; a read of the
// log stops early likewise, and only an answer without entries says that no more are committed.
// What is returned shares nothing that the ledger will change.
// Does not own: whether this node may answer (driver.ts), page tokens (grpc), nor the log.

import assert from "node:assert";
import type { Job, JobError } from "../ledger/job.ts";
import {
  allQueuesView,
  getJob,
  getSchedule,
  heldKey,
  type Ledger,
  listJobs,
  listLocks,
  listSchedules,
  lockStanding,
  queueViews,
  scheduleStanding,
} from "../ledger/ledger.ts";
import type {
  ReadJobs,
  ReadList,
  ReadLog,
  ReadSchedules,
  Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../protos/gen/node/v1/exchange.ts";
import type { HeldKeys, ReadHeldKeys } from "../protos/gen/node/v1/lock.ts";
import { type GetClusterResponse, LogEntry } from "../protos/gen/quorumq/v1/cluster_service.ts";
import type { Job as WireJob } from "../protos/gen/quorumq/v1/job.ts";
import { Schedule as WireSchedule } from "../protos/gen/quorumq/v1/schedule.ts";
import { LOG_READ_ENTRIES_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, READ_BYTES_MAX } from "./limit.ts";
import { toWireHeldKey, toWireStanding } from "./lock-codec.ts";
import { toWireQueue } from "./queue-codec.ts";
import { fromWireState, toWireJob, type WireJobOptions } from "./result-codec.ts";
import { toWireSchedule } from "./schedule-codec.ts";

export interface LogPart {
  readonly entries: readonly LogEntry[];
  /** What the log begins with: behind the last entry if it has none. */
  readonly firstLogIndex: number;
}

/**
 * The committed entries from this one on, in order, at most so many (log-entry.ts makes them); from
 * the oldest one on if that is later.
 */
export type LogSource = (fromIndex: number, entriesMax: number) => LogPart;

/**
 * `index` is what the ledger has applied; `cluster` must be given for a read of the cluster, `log`
 * for one of the log.
 */
export function answerRead(
  ledger: Ledger,
  read: WireRead,
  index: number,
  cluster?: GetClusterResponse,
  log?: LogSource,
): WireReadAnswer {
  const nothing = {
    ...{ index, jobs: [], hasMore: false, cluster: undefined, entries: [] },
    ...{ locks: undefined, heldKeys: undefined, schedules: [] },
    ...{ queues: [], allQueues: undefined },
  };
  // A read of a newer version has been refused by the mailbox: an empty answer would be a lie.
  assert(read.read !== undefined, "a read without a question");
  switch (read.read.$case) {
    case "jobs":
      return { ...nothing, firstLogIndex: 0, ...jobsOf(ledger, read.read.value) };
    case "list":
      return { ...nothing, firstLogIndex: 0, ...pageOf(ledger, read.read.value) };
    case "cluster":
      assert(cluster !== undefined, "a read of the cluster without its view");
      return { ...nothing, firstLogIndex: 0, cluster };
    case "queues":
      return { ...nothing, firstLogIndex: 0, ...queuesOf(ledger) };
    case "schedule": {
      const schedule = getSchedule(ledger, read.read.value.scheduleId);
      if (schedule === undefined) return { ...nothing, firstLogIndex: 0 };
      const standing = scheduleStanding(ledger, schedule);
      const schedules = [toWireSchedule(schedule, standing, { hasBodies: true })];
      return { ...nothing, firstLogIndex: 0, schedules };
    }
    case "schedules":
      return { ...nothing, firstLogIndex: 0, ...schedulesOf(ledger, read.read.value) };
    case "locks": {
      const ids = read.read.value.lockIds.slice(0, PAGE_SIZE_MAX);
      const standings = ids.map((id) => toWireStanding(lockStanding(ledger, id)));
      return { ...nothing, firstLogIndex: 0, locks: { standings } };
    }
    case "heldKeys":
      return { ...nothing, firstLogIndex: 0, ...heldKeysOf(ledger, read.read.value) };
    case "log":
      assert(log !== undefined, "a read of the log without it");
      return { ...nothing, ...entriesOf(log, read.read.value) };
  }
}

/** None before what the log begins with: the asker has to know that there is a gap. */
function entriesOf(
  log: LogSource,
  { fromIndex, entriesMax }: ReadLog,
): { entries: LogEntry[]; firstLogIndex: number } {
  const limit = Math.min(
    entriesMax === 0 ? LOG_READ_ENTRIES_MAX : entriesMax,
    LOG_READ_ENTRIES_MAX,
  );
  const part = log(fromIndex, limit);
  const { firstLogIndex } = part;
  if (fromIndex > 0 && fromIndex < firstLogIndex) return { entries: [], firstLogIndex };
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (const entry of part.entries.slice(0, limit)) {
    bytes += LogEntry.encode(entry).finish().byteLength;
    if (bytes > READ_BYTES_MAX && entries.length > 0) break;
    entries.push(entry);
  }
  return { entries, firstLogIndex };
}

/** There are as many as there are kinds of work: they fit. */
function queuesOf(ledger: Ledger): Pick<WireReadAnswer, "queues" | "allQueues"> {
  // A follower answers, too: the clock only tells how long somebody has waited.
  const nowMs = Date.now();
  return {
    queues: queueViews(ledger).map((view) => toWireQueue(view, nowMs)),
    allQueues: toWireQueue(allQueuesView(ledger), nowMs),
  };
}

function jobsOf(ledger: Ledger, { jobIds }: ReadJobs): { jobs: WireJob[]; hasMore: boolean } {
  const jobs: WireJob[] = [];
  let bytes = 0;
  for (const [position, id] of jobIds.entries()) {
    const job = getJob(ledger, id);
    if (job === undefined) continue;
    bytes += bytesOf(job, { hasBodies: true });
    const isFull = position >= PAGE_SIZE_MAX || bytes > READ_BYTES_MAX;
    if (isFull && jobs.length > 0) return { jobs, hasMore: true };
    jobs.push(toWireJob(job, { hasBodies: true }));
  }
  return { jobs, hasMore: false };
}

function pageOf(ledger: Ledger, list: ReadList): { jobs: WireJob[]; hasMore: boolean } {
  const limit = Math.min(list.pageSize === 0 ? PAGE_SIZE_DEFAULT : list.pageSize, PAGE_SIZE_MAX);
  const state = fromWireState(list.state);
  const page = listJobs(ledger, {
    beforeJobId: list.beforeJobId,
    state,
    kind: list.kind,
    queue: list.queue,
    scheduleId: list.scheduleId,
    parentJobId: list.parentJobId,
    limit,
  });
  const jobs: WireJob[] = [];
  let bytes = 0;
  for (const job of page.jobs) {
    bytes += bytesOf(job, { hasBodies: false });
    if (bytes > READ_BYTES_MAX && jobs.length > 0) return { jobs, hasMore: true };
    jobs.push(toWireJob(job, { hasBodies: false }));
  }
  return { jobs, hasMore: page.hasMore };
}

function schedulesOf(
  ledger: Ledger,
  { pageSize, afterLogIndex }: ReadSchedules,
): { schedules: WireSchedule[]; hasMore: boolean } {
  const limit = Math.min(pageSize === 0 ? PAGE_SIZE_DEFAULT : pageSize, PAGE_SIZE_MAX);
  const page = listSchedules(ledger, afterLogIndex, limit);
  const schedules: WireSchedule[] = [];
  let bytes = 0;
  for (const one of page.schedules) {
    const schedule = toWireSchedule(one, scheduleStanding(ledger, one), { hasBodies: false });
    bytes += WireSchedule.encode(schedule).finish().byteLength;
    if (bytes > READ_BYTES_MAX && schedules.length > 0) return { schedules, hasMore: true };
    schedules.push(schedule);
  }
  return { schedules, hasMore: page.hasMore };
}

/** A page of the longest keys and owners fits a message by far. */
function heldKeysOf(
  ledger: Ledger,
  { key, afterKey, pageSize }: ReadHeldKeys,
): { heldKeys: HeldKeys; hasMore: boolean } {
  if (key !== "") {
    const held = heldKey(ledger, key);
    const keys = held === null ? [] : [toWireHeldKey(held)];
    return { heldKeys: { keys }, hasMore: false };
  }
  const limit = Math.min(pageSize === 0 ? PAGE_SIZE_DEFAULT : pageSize, PAGE_SIZE_MAX);
  const page = listLocks(ledger, afterKey, limit);
  return { heldKeys: { keys: page.keys.map(toWireHeldKey) }, hasMore: page.hasMore };
}

/** Of a job and of an attempt or receipt: numbers, times, tags, and texts of a fixed length. */
const JOB_BYTES = 512;
const RECORD_BYTES = 128;
/** The most that a UTF-16 code unit takes in UTF-8. */
const CHARACTER_BYTES = 3;

/** No less than what the job takes in an answer: what failed often has much to tell. */
function bytesOf(job: Readonly<Job>, { hasBodies }: WireJobOptions): number {
  let characters = job.id.length + job.kind.length + job.queue.length + job.idempotencyKey.length;
  characters += job.parkedFor.length + lengthOf(job.error);
  for (const key of job.lockKeys) characters += key.length;
  for (const { key } of job.concurrencyKeys) characters += key.length;
  characters += job.waitsAt.length;
  characters += job.parentJobId.length;
  // Ids are short; lists do without.
  const children = hasBodies ? job.childJobIds.length : 0;
  for (const attempt of job.attempts) characters += attempt.worker.length + lengthOf(attempt.error);
  for (const receipt of job.receipts) characters += receipt.worker.length;
  for (const { error } of job.earlierRuns) characters += lengthOf(error);
  let records = job.attempts.length + job.receipts.length + job.lockKeys.length + children;
  records += job.earlierRuns.length + job.concurrencyKeys.length;
  let bodies = 0;
  if (hasBodies) {
    records += job.logLines.length;
    for (const { text } of job.logLines) characters += text.length;
    for (const part of [job.payload, job.result, job.progress]) bodies += part?.byteLength ?? 0;
  }
  return JOB_BYTES + records * RECORD_BYTES + characters * CHARACTER_BYTES + bodies;
}

function lengthOf(error: JobError | null): number {
  return error === null ? 0 : error.code.length + error.message.length;
}
