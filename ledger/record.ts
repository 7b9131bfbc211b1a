// What the ledger keeps of a job: what it shows, and the bookkeeping of its own rules.
//
// A million jobs may wait, so a record has only what tells a waiting job from another. The rest is
// shared or made when it is needed, and reads as if it were here:
//
//   terms  what was asked for and its defaults (terms.ts): one object for all jobs of a sort
//   past   attempts, result, locks, end: made by the first write, until then NO_PAST's
//
// A new field that few waiting jobs have goes into job-past.ts and a pair of accessors; one
// that is asked for and often the same goes into Terms. Only what differs from one waiting job to
// the next is a field of its own. Lists of the past are replaced or added to by its owner only:
// NO_PAST's are nobody's.
//
// Guarantees: all of it follows from the log and is part of the state's hash.

import type { JobSpec } from "./command.ts";
import type {
  Backoff,
  ChildFailurePolicy,
  ConcurrencyKey,
  EndedRun,
  FencingToken,
  Job,
  JobError,
  JobState,
  LogLine,
  Receipt,
} from "./job.ts";
import { jobIdOf } from "./job-id.ts";
import {
  type AttemptRecord,
  type JobFamily,
  type JobPast,
  NO_FAMILY,
  NO_PAST,
} from "./job-past.ts";
import { plusMs } from "./milliseconds.ts";
import { type PackedBytes, packBytes, unpackBytes } from "./packed-bytes.ts";
import type { Terms } from "./terms.ts";

export type { AttemptRecord, Finished, JobFamily } from "./job-past.ts";

/** Where a job came from: it never changes. */
export interface JobOrigin {
  /** Order of acceptance, from 0. */
  readonly number: number;
  readonly logIndex: number;
  /** Among the jobs of its entry, from 1; 0: it is the only one. */
  readonly position: number;
  readonly createdMs: number;
}

/** What is a job's own of what was asked for. */
export interface JobAsk {
  readonly terms: Terms;
  readonly payload: Uint8Array;
  readonly lockKeys: readonly string[];
  /** Before the kind's templates: empty, or what lockKeys was made of. */
  readonly askedLockKeys: readonly string[];
  readonly concurrency: JobConcurrency;
  readonly askedRunAtMs: number;
  readonly idempotencyKey: string;
  readonly traceparent: string;
}

export interface JobConcurrency {
  readonly keys: readonly ConcurrencyKey[];
  /** Before the kind's templates: empty, or what the keys were made of. */
  readonly asked: readonly ConcurrencyKey[];
}

/** One list for all jobs that have none. */
export const NO_KEYS: readonly string[] = Object.freeze([]);
export const NO_CONCURRENCY: JobConcurrency = Object.freeze({
  keys: Object.freeze([]),
  asked: Object.freeze([]),
});
export class JobRecord implements Job {
  readonly number: number;
  readonly logIndex: number;
  readonly position: number;
  readonly createdMs: number;
  readonly terms: Terms;
  readonly packedPayload: PackedBytes;
  readonly lockKeys: readonly string[];
  readonly askedLockKeys: readonly string[];
  readonly concurrency: JobConcurrency;
  readonly askedRunAtMs: number;
  readonly idempotencyKey: string;
  readonly traceparent: string;
  state: JobState;
  runAtMs: number;
  changeIndex: number;
  dispatch = 0;
  /** Order in which it became QUEUED or SCHEDULED, as the last of all jobs then; else 0. */
  arrival = 0;
  waitsAt = "";
  past: JobPast = NO_PAST;

  constructor(
    origin: JobOrigin,
    ask: JobAsk,
    state: JobState,
    runAtMs: number,
    family: JobFamily = NO_FAMILY,
  ) {
    this.number = origin.number;
    this.logIndex = origin.logIndex;
    this.position = origin.position;
    this.createdMs = origin.createdMs;
    this.terms = ask.terms;
    this.packedPayload = packBytes(ask.payload);
    this.lockKeys = ask.lockKeys;
    this.askedLockKeys = ask.askedLockKeys;
    this.concurrency = ask.concurrency;
    this.askedRunAtMs = ask.askedRunAtMs;
    this.idempotencyKey = ask.idempotencyKey;
    this.traceparent = ask.traceparent;
    this.state = state;
    this.runAtMs = runAtMs;
    this.changeIndex = origin.logIndex;
    if (family !== NO_FAMILY) {
      this.past = { ...NO_PAST, ...family, pendingChildCount: family.childPositions.length };
    }
  }

  get id(): string {
    return jobIdOf(this);
  }

  get payload(): Uint8Array {
    return unpackBytes(this.packedPayload);
  }

  get kind(): string {
    return this.terms.asked.kind;
  }

  get queue(): string {
    return this.terms.queue;
  }

  get priority(): number {
    return this.terms.asked.priority;
  }

  get concurrencyKeys(): readonly ConcurrencyKey[] {
    return this.concurrency.keys;
  }

  get maxAttempts(): number {
    return this.terms.maxAttempts;
  }

  get backoff(): Backoff {
    return this.terms.backoff;
  }

  get attemptTimeoutMs(): number {
    return this.terms.attemptTimeoutMs;
  }

  get totalTimeoutMs(): number {
    return this.terms.totalTimeoutMs;
  }

  get deadlineMs(): number {
    return this.totalTimeoutMs === 0
      ? 0
      : plusMs(this.past.runStartMs || this.createdMs, this.totalTimeoutMs);
  }

  /** What was asked for, before any default was filled in: a repeat is compared with it. */
  get submitted(): JobSpec {
    return {
      ...this.terms.asked,
      payload: this.payload,
      runAtMs: this.askedRunAtMs,
      lockKeys: this.askedLockKeys,
      concurrencyKeys: this.concurrency.asked,
      idempotencyKey: this.idempotencyKey,
      traceparent: this.traceparent,
      // Its place is its command's alone: the same family may be submitted at another.
      parent: 0,
    };
  }

  get onChildFailure(): ChildFailurePolicy {
    return this.terms.asked.onChildFailure;
  }

  get parentJobId(): string {
    const { parentPosition: position } = this.past;
    return position === 0 ? "" : jobIdOf({ logIndex: this.logIndex, position });
  }

  get parentPosition(): number {
    return this.past.parentPosition;
  }

  get childPositions(): readonly number[] {
    return this.past.childPositions;
  }

  get childJobIds(): readonly string[] {
    const { childPositions } = this.past;
    if (childPositions.length === 0) return NO_KEYS;
    return childPositions.map((position) => jobIdOf({ logIndex: this.logIndex, position }));
  }

  get pendingChildCount(): number {
    return this.past.pendingChildCount;
  }

  set pendingChildCount(count: number) {
    this.#write().pendingChildCount = count;
  }

  get parkedFor(): string {
    return this.past.parkedFor;
  }

  set parkedFor(key: string) {
    this.#write().parkedFor = key;
  }

  get attemptsUsed(): number {
    return this.past.attemptsUsed;
  }

  set attemptsUsed(count: number) {
    this.#write().attemptsUsed = count;
  }

  get attempts(): readonly AttemptRecord[] {
    return this.past.attempts;
  }

  set attempts(attempts: readonly AttemptRecord[]) {
    this.#write().attempts = attempts;
  }

  get result(): Uint8Array | null {
    const { result } = this.past;
    return result === null ? null : unpackBytes(result);
  }

  set result(result: Uint8Array | null) {
    this.#write().result = result === null ? null : packBytes(result);
  }

  get error(): JobError | null {
    return this.past.error;
  }

  set error(error: JobError | null) {
    this.#write().error = error;
  }

  get endMs(): number {
    return this.past.endMs;
  }

  set endMs(ms: number) {
    this.#write().endMs = ms;
  }

  get run(): number {
    return this.past.earlierRuns.length + 1;
  }

  get earlierRuns(): readonly EndedRun[] {
    return this.past.earlierRuns;
  }

  set earlierRuns(runs: readonly EndedRun[]) {
    this.#write().earlierRuns = runs;
  }

  get runStartMs(): number {
    return this.past.runStartMs;
  }

  set runStartMs(ms: number) {
    this.#write().runStartMs = ms;
  }

  get progress(): Uint8Array | null {
    const { progress } = this.past;
    return progress === null ? null : unpackBytes(progress);
  }

  set progress(progress: Uint8Array | null) {
    this.#write().progress = progress === null ? null : packBytes(progress);
  }

  get progressMs(): number {
    return this.past.progressMs;
  }

  set progressMs(ms: number) {
    this.#write().progressMs = ms;
  }

  get logLines(): readonly LogLine[] {
    return this.past.logLines;
  }

  set logLines(lines: readonly LogLine[]) {
    this.#write().logLines = lines;
  }

  get logLineCount(): number {
    return this.past.logLineCount;
  }

  set logLineCount(count: number) {
    this.#write().logLineCount = count;
  }

  get receipts(): readonly Receipt[] {
    return this.past.receipts;
  }

  set receipts(receipts: readonly Receipt[]) {
    this.#write().receipts = receipts;
  }

  get refusedCount(): number {
    return this.past.refusedCount;
  }

  set refusedCount(count: number) {
    this.#write().refusedCount = count;
  }

  get currentToken(): FencingToken {
    return this.past.currentToken;
  }

  set currentToken(token: FencingToken) {
    this.#write().currentToken = token;
  }

  get refusedStartId(): string {
    return this.past.refusedStartId;
  }

  set refusedStartId(id: string) {
    this.#write().refusedStartId = id;
  }

  get place(): number {
    return this.past.place;
  }

  set place(place: number) {
    this.#write().place = place;
  }

  get claimExpiryMs(): number {
    return this.past.claimExpiryMs;
  }

  set claimExpiryMs(ms: number) {
    this.#write().claimExpiryMs = ms;
  }

  get keysUntilMs(): number {
    return this.past.keysUntilMs;
  }

  set keysUntilMs(ms: number) {
    this.#write().keysUntilMs = ms;
  }

  get scheduleId(): string {
    return this.past.scheduleId;
  }

  /** Set when it is made, or never. */
  set scheduleId(id: string) {
    this.#write().scheduleId = id;
  }

  get slotMs(): number {
    return this.past.slotMs;
  }

  set slotMs(ms: number) {
    this.#write().slotMs = ms;
  }

  #write(): JobPast {
    if (this.past === NO_PAST) this.past = { ...NO_PAST };
    return this.past;
  }
}
