// Accepting jobs: one, or several together.
//
// Guarantees: all jobs of a command are accepted or none, and a refusal changes nothing: all is
// decided before the first change. A key may come twice within one command, too. Parents stand
// before their children (submit-family.ts), and the topmost one's key is the whole family's.
// Does not own: what is well-formed JSON or too large (whoever proposes).

import { normalBackoff } from "./backoff.ts";
import { accept } from "./change.ts";
import type { JobSpec, Kind } from "./command.ts";
import { concurrencyOf } from "./concurrency-keys.ts";
import { JobState } from "./job.ts";
import { jobIdOf } from "./job-id.ts";
import { lockKeysOf } from "./lock-template.ts";
import { wholeMs } from "./milliseconds.ts";
import {
  type JobAsk,
  type JobConcurrency,
  type JobFamily,
  type JobOrigin,
  JobRecord,
  NO_KEYS,
} from "./record.ts";
import { resolveKind } from "./registry.ts";
import { type Repeat, repeatOf } from "./repeat.ts";
import type { Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";
import { type Families, familiesOf, familyAt } from "./submit-family.ts";

/** Which job of which schedule. */
export type Slot = Pick<JobRecord, "scheduleId" | "slotMs">;

type Refused = Extract<Result, { kind: "submit-refused" }>;

/** The jobs that one command would add, by key, so that it can meet its own. */
interface Batch {
  readonly jobs: JobRecord[];
  readonly byKey: Map<string, JobRecord>;
  /** How many jobs it would add to each queue. */
  readonly byQueue: Map<string, number>;
  readonly families: Families;
}

type Refusal = Omit<Refused, "position">;
type Decision = { readonly kind: "new"; readonly job: JobRecord } | Repeat | Refusal;
type Answer = Extract<Result, { kind: "submitted" }>["jobs"][number];

export function submitJobs(turn: Turn, specs: readonly JobSpec[]): Result {
  const batch = batchOf(specs);
  const answers: Answer[] = [];
  /** Answers of the members of repeated families. */
  const repeated = new Map<number, Answer>();
  let repeats = 0;
  for (const [at, spec] of specs.entries()) {
    const known = repeated.get(at);
    if (known !== undefined) {
      answers.push(known);
      continue;
    }
    const decision = decide(turn, batch, spec, at);
    if (decision.kind === "submit-refused") return { ...decision, position: at };
    const deduplicated = decision.kind === "repeat";
    const first = deduplicated ? decision.first : decision.job;
    const { logIndex, traceparent } = first;
    answers.push({ jobId: jobIdOf(first), logIndex, deduplicated, traceparent });
    if (deduplicated) {
      repeats += 1;
      for (const [memberAt, memberId] of decision.ids) {
        repeated.set(memberAt, { jobId: memberId, logIndex, deduplicated, traceparent });
      }
    } else {
      const { job } = decision;
      const { idempotencyKey } = job;
      batch.jobs.push(job);
      batch.byQueue.set(job.queue, (batch.byQueue.get(job.queue) ?? 0) + 1);
      if (idempotencyKey !== "") batch.byKey.set(idempotencyKey, job);
    }
  }
  turn.ledger.counters.deduplicated += repeats;
  for (const job of batch.jobs) accept(turn, job);
  return { kind: "submitted", jobs: answers };
}

/** The job of a schedule's slot, as if it was submitted now; null: it is refused. */
export function submitSlot(turn: Turn, spec: JobSpec, slot: Slot): JobRecord | null {
  const decision = decide(turn, batchOf([spec]), spec, 0, nextPosition(turn));
  if (decision.kind !== "new") return null;
  const { job } = decision;
  job.scheduleId = slot.scheduleId;
  job.slotMs = slot.slotMs;
  accept(turn, job);
  return job;
}

/** A schedule's job that is for no slot; null: it would be a new one, and there may be none. */
export function submitByHand(
  turn: Turn,
  spec: JobSpec,
  scheduleId: string,
  mayBeNew: boolean,
): Result | null {
  const { jobs, counters } = turn.ledger;
  const decision = decide(turn, batchOf([spec]), spec, 0);
  if (decision.kind === "submit-refused") return { ...decision, position: 0 };
  if (decision.kind === "repeat") {
    const jobId = jobIdOf(decision.first);
    const isOther = (jobs.get(jobId)?.scheduleId ?? scheduleId) !== scheduleId;
    const reused = refusal("idempotency-key-reused", spec.idempotencyKey, jobId);
    if (isOther) return { ...reused, position: 0 };
    counters.deduplicated += 1;
  } else {
    if (!mayBeNew) return null;
    decision.job.scheduleId = scheduleId;
    accept(turn, decision.job);
  }
  const deduplicated = decision.kind === "repeat";
  const first = decision.kind === "repeat" ? decision.first : decision.job;
  const { logIndex, traceparent } = first;
  const answer = { jobId: jobIdOf(first), logIndex, deduplicated, traceparent };
  return { kind: "submitted", jobs: [answer] };
}

/** What a job of such a schedule would be refused for now; null: nothing. */
export function refusalOfSlot(turn: Turn, spec: JobSpec): Refused | null {
  const decision = decide(turn, batchOf([spec]), spec, 0);
  return decision.kind === "submit-refused" ? { ...decision, position: 0 } : null;
}

function batchOf(specs: readonly JobSpec[]): Batch {
  return { jobs: [], byKey: new Map(), byQueue: new Map(), families: familiesOf(specs) };
}

/** An entry may bring about many slots, of several schedules, beside what else it does. */
function nextPosition({ ledger, acceptedBefore }: Turn): number {
  return ledger.counters.accepted - acceptedBefore + 1;
}

function decide(
  turn: Turn,
  batch: Batch,
  spec: JobSpec,
  at: number,
  position: number = batch.families.specs.length === 1 ? 0 : at + 1,
): Decision {
  const { ledger, index } = turn;
  const { families } = batch;
  const resolved = resolveKind(ledger, spec.kind, spec.queue);
  if (resolved.kind === "unknown-kind") return refusal(resolved.kind, spec.kind);
  if (resolved.kind === "unknown-queue") return refusal(resolved.kind, spec.queue);
  const { defaults, queue } = resolved;
  // The topmost job's key stands for its whole family.
  const idempotencyKey = families.parents.has(at) ? "" : spec.idempotencyKey;
  if (idempotencyKey !== "") {
    const submission = { families, at, queue, key: idempotencyKey };
    const known = repeatOf(ledger, submission, batch.byKey.get(idempotencyKey));
    if (known?.kind === "repeat") return known;
    if (known !== null) return refusal("idempotency-key-reused", idempotencyKey, known.jobId);
  }
  // After the key: a repeat needs no key filled, its kind's templates may have changed meanwhile.
  const locks = lockKeysOf(spec, defaults.lockTemplates);
  if ("unfilled" in locks) return refusal("lock-template-unfilled", locks.unfilled);
  const concurrency = concurrencyOf(spec, defaults.concurrencyTemplates);
  if ("unfilled" in concurrency) return refusal("lock-template-unfilled", concurrency.unfilled);
  if (isBacklogFull(ledger, batch, queue)) return refusal("backlog-full", queue);
  const number = ledger.counters.accepted + batch.jobs.length;
  const origin = { number, logIndex: index, position, createdMs: ledger.clockMs };
  const keys = { lockKeys: locks.keys, concurrency };
  const family = familyAt(families, at);
  const own = idempotencyKey === spec.idempotencyKey ? spec : { ...spec, idempotencyKey };
  return { kind: "new", job: newJob(ledger, own, defaults, queue, keys, origin, family) };
}

/** A repeat never comes here: it has its answer, however many wait. */
function isBacklogFull(ledger: Ledger, { byQueue }: Batch, queue: string): boolean {
  const known = ledger.queues.get(queue);
  const waitingMax = known?.limits.waitingMax ?? 0;
  if (known === undefined || waitingMax === 0) return false;
  const waiting = known.waiting.size + known.scheduled.size;
  return waiting + (byQueue.get(queue) ?? 0) >= waitingMax;
}

function refusal(reason: Refused["reason"], value: string, jobId = ""): Refusal {
  return { kind: "submit-refused", reason, value, jobId };
}

function newJob(
  ledger: Ledger,
  spec: JobSpec,
  defaults: Kind,
  queue: string,
  keys: { readonly lockKeys: readonly string[]; readonly concurrency: JobConcurrency },
  origin: JobOrigin,
  family: JobFamily,
): JobRecord {
  const { payload, runAtMs: askedRunAtMs, lockKeys, concurrencyKeys, ...others } = spec;
  const { idempotencyKey, traceparent, parent, ...asked } = others;
  const terms = ledger.terms.share({
    asked,
    queue,
    maxAttempts: wholeMs(spec.maxAttempts) || defaults.maxAttempts,
    backoff: spec.backoff === null ? defaults.backoff : normalBackoff(spec.backoff),
    attemptTimeoutMs: wholeMs(spec.attemptTimeoutMs) || defaults.attemptTimeoutMs,
    totalTimeoutMs: wholeMs(spec.totalTimeoutMs) || defaults.totalTimeoutMs,
  });
  const ask: JobAsk = {
    terms,
    payload,
    lockKeys: keys.lockKeys.length === 0 ? NO_KEYS : keys.lockKeys,
    askedLockKeys: lockKeys.length === 0 ? NO_KEYS : lockKeys,
    concurrency: keys.concurrency,
    askedRunAtMs,
    idempotencyKey,
    traceparent,
  };
  const runAtMs = wholeMs(spec.runAtMs);
  const isParent = family.childPositions.length > 0;
  const isLater = isParent || runAtMs > origin.createdMs;
  const state = isLater ? JobState.Scheduled : JobState.Queued;
  // A parent that may run at any time has no time before its children have ended.
  const firstMs = runAtMs === 0 && !isParent ? origin.createdMs : runAtMs;
  return new JobRecord(origin, ask, state, firstMs, family);
}
