// A fingerprint of the whole state, to compare replicas at the same index (I5).
//
// Guarantees: equal states give equal hashes, whatever order maps and sets were filled in (the
// queue's order is state); every value is preceded by its kind or length, so no two states are
// written alike. 64 bits against accident, not against malice: a quorum that lies is not in Raft's
// model either.
// Costs a pass over all jobs: for verification, not for every command.

import type { JobSpec, Kind } from "./command.ts";
import { countsOf } from "./counts.ts";
import type { Backoff, JobError } from "./job.ts";
import type { AttemptRecord, JobRecord } from "./record.ts";
import type { Ledger } from "./state.ts";

/** 16 hexadecimal digits. */
export function hash(ledger: Ledger): string {
  const digest = new Digest();
  digest.number(ledger.appliedIndex);
  digest.number(ledger.clockMs);
  digest.number(ledger.termOpenedMs);
  digest.number(ledger.lastPlace);
  digest.number(ledger.receiptsMax);
  const counts = Object.entries(countsOf(ledger.counters));
  for (const [name, count] of counts.sort(byKey)) {
    digest.text(name);
    digest.number(count);
  }
  digest.number(ledger.jobs.length);
  for (const job of ledger.jobs) addJob(digest, job);
  digest.number(ledger.kinds.size);
  for (const [, { latest, queues }] of [...ledger.kinds].sort(byKey)) {
    addKind(digest, latest);
    digest.texts([...queues].sort());
  }
  addOwners(digest, ledger.holders);
  addOwners(digest, ledger.claims);
  // In its own order: it is the order in which jobs are put before workers.
  digest.number(ledger.queued.size);
  for (const { number } of ledger.queued) digest.number(number);
  return digest.hex();
}

function addJob(digest: Digest, job: JobRecord): void {
  for (const text of [job.id, job.kind, job.queue, job.idempotencyKey, job.traceparent]) {
    digest.text(text);
  }
  for (const text of [job.state, job.parkedFor, job.refusedStartId]) digest.text(text);
  for (const number of [
    job.number,
    job.priority,
    job.maxAttempts,
    job.attemptTimeoutMs,
    job.createdMs,
    job.logIndex,
    job.runAtMs,
    job.changeIndex,
    job.dispatch,
    job.attemptsUsed,
    job.endMs,
    job.refusedCount,
    job.currentToken,
    job.place,
    job.claimExpiryMs,
    job.keysUntilMs,
  ]) {
    digest.number(number);
  }
  digest.bytes(job.payload);
  digest.bytes(job.result);
  digest.texts(job.lockKeys);
  addBackoff(digest, job.backoff);
  addError(digest, job.error);
  addSubmitted(digest, job.submitted);
  digest.number(job.attempts.length);
  for (const attempt of job.attempts) addAttempt(digest, attempt);
  digest.number(job.receipts.length);
  for (const { token, currentToken, worker, tried, refusedMs } of job.receipts) {
    for (const number of [token, currentToken, refusedMs]) digest.number(number);
    digest.text(worker);
    digest.text(tried);
  }
}

/** The payload and the names are the job's own. */
function addSubmitted(digest: Digest, spec: JobSpec): void {
  digest.text(spec.queue);
  for (const number of [spec.runAtMs, spec.maxAttempts, spec.attemptTimeoutMs]) {
    digest.number(number);
  }
  digest.texts(spec.lockKeys);
  addBackoff(digest, spec.backoff);
}

function addAttempt(digest: Digest, attempt: AttemptRecord): void {
  for (const text of [attempt.worker, attempt.startId, attempt.outcome]) digest.text(text);
  for (const number of [
    attempt.number,
    attempt.token,
    attempt.startMs,
    attempt.leaseMs,
    attempt.leaseExpiryMs,
    attempt.endMs,
    attempt.answer?.nextAttemptMs ?? -1,
  ]) {
    digest.number(number);
  }
  digest.text(attempt.answer?.state ?? "");
  addError(digest, attempt.error);
}

function addKind(digest: Digest, kind: Kind): void {
  digest.text(kind.kind);
  digest.text(kind.queue);
  digest.number(kind.maxAttempts);
  digest.number(kind.attemptTimeoutMs);
  digest.texts(kind.lockTemplates);
  addBackoff(digest, kind.backoff);
}

function addBackoff(digest: Digest, backoff: Backoff | null): void {
  digest.number(backoff === null ? 0 : 1);
  if (backoff === null) return;
  for (const number of [backoff.initialMs, backoff.multiplier, backoff.maxMs]) {
    digest.number(number);
  }
}

function addError(digest: Digest, error: JobError | null): void {
  digest.number(error === null ? 0 : 1);
  if (error === null) return;
  digest.text(error.code);
  digest.text(error.message);
  digest.number(error.retryable ? 1 : 0);
}

function addOwners(digest: Digest, owners: ReadonlyMap<string, JobRecord>): void {
  digest.number(owners.size);
  for (const [key, job] of [...owners].sort(byKey)) {
    digest.text(key);
    digest.number(job.number);
  }
}

/** By UTF-16 code units: a locale's order is not the same everywhere. */
function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

const FLOAT = new DataView(new ArrayBuffer(8));

/** Two lanes of murmur3's mixing with different seeds and constants. */
class Digest {
  #one = 0x2545f491;
  #two = 0x9e3779b9;
  #words = 0;

  number(value: number): void {
    // Every NaN is written alike.
    FLOAT.setFloat64(0, Number.isNaN(value) ? Number.NaN : value);
    this.#word(FLOAT.getInt32(0));
    this.#word(FLOAT.getInt32(4));
  }

  text(text: string): void {
    this.#word(text.length);
    for (let i = 0; i < text.length; i += 2) {
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      this.#word((text.charCodeAt(i) << 16) | next);
    }
  }

  texts(texts: readonly string[]): void {
    this.#word(texts.length);
    for (const text of texts) this.text(text);
  }

  bytes(bytes: Uint8Array | null): void {
    this.#word(bytes === null ? -1 : bytes.length);
    if (bytes === null) return;
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = (word << 8) | (bytes[i] ?? 0);
      if (i % 4 === 3) {
        this.#word(word);
        word = 0;
      }
    }
    if (bytes.length % 4 !== 0) this.#word(word);
  }

  hex(): string {
    const one = finish(this.#one ^ this.#words);
    const two = finish(this.#two ^ one);
    return one.toString(16).padStart(8, "0") + two.toString(16).padStart(8, "0");
  }

  #word(word: number): void {
    this.#words += 1;
    this.#one = mix(this.#one, Math.imul(word, 0xcc9e2d51), 0xe6546b64);
    this.#two = mix(this.#two, Math.imul(word, 0x239b961b), 0x561ccd1b);
  }
}

function mix(lane: number, product: number, salt: number): number {
  const mixed = lane ^ Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + salt) | 0;
}

function finish(lane: number): number {
  let bits = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
