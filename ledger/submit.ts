// Accepting jobs: one, or several together.
//
// Guarantees: all jobs of a command are accepted or none, and a refusal changes nothing: all is
// decided before the first change. A key may come twice within one command, too.
// Does not own: what is well-formed JSON or too large (whoever proposes).

import { normalBackoff } from "./backoff.ts";
import { accept } from "./change.ts";
import type { JobSpec, Kind } from "./command.ts";
import { isSameJob } from "./dedup.ts";
import { JobState } from "./job.ts";
import { lockKeysOf } from "./lock-template.ts";
import { wholeMs } from "./milliseconds.ts";
import type { JobRecord } from "./record.ts";
import { resolveKind } from "./registry.ts";
import type { Result } from "./result.ts";
import type { Turn } from "./state.ts";

type Refused = Extract<Result, { kind: "submit-refused" }>;

/** The jobs that one command would add, by key, so that it can meet its own. */
interface Batch {
  readonly jobs: JobRecord[];
  readonly byKey: Map<string, JobRecord>;
}

type Decision =
  | { readonly kind: "new" | "repeat"; readonly job: JobRecord }
  | Omit<Refused, "position">;

export function submitJobs(turn: Turn, specs: readonly JobSpec[]): Result {
  const batch: Batch = { jobs: [], byKey: new Map() };
  const answers: { jobId: string; logIndex: number; deduplicated: boolean; traceparent: string }[] =
    [];
  let repeats = 0;
  for (const [position, spec] of specs.entries()) {
    const id = specs.length === 1 ? `j-${turn.index}` : `j-${turn.index}-${position + 1}`;
    const decision = decide(turn, batch, spec, id);
    if (decision.kind === "submit-refused") return { ...decision, position };
    const { job } = decision;
    if (decision.kind === "repeat") {
      repeats += 1;
    } else {
      batch.jobs.push(job);
      if (job.idempotencyKey !== "") batch.byKey.set(job.idempotencyKey, job);
    }
    answers.push({
      jobId: job.id,
      logIndex: job.logIndex,
      deduplicated: decision.kind === "repeat",
      traceparent: job.traceparent,
    });
  }
  turn.ledger.counters.deduplicated += repeats;
  for (const job of batch.jobs) accept(turn, job);
  return { kind: "submitted", jobs: answers };
}

function decide({ ledger, index }: Turn, batch: Batch, spec: JobSpec, id: string): Decision {
  const resolved = resolveKind(ledger, spec.kind, spec.queue);
  if (resolved.kind === "unknown-kind") return refusal(resolved.kind, spec.kind);
  if (resolved.kind === "unknown-queue") return refusal(resolved.kind, spec.queue);
  const { defaults, queue } = resolved;
  if (spec.idempotencyKey !== "") {
    const owner = ledger.jobsByKey.get(spec.idempotencyKey);
    const inBatch = batch.byKey.get(spec.idempotencyKey);
    const first = owner ?? inBatch;
    if (first !== undefined) {
      if (isSameJob(first, spec, queue)) return { kind: "repeat", job: first };
      // An owner within this command will not come to be: there is no id to give.
      return refusal("idempotency-key-reused", spec.idempotencyKey, owner?.id ?? "");
    }
  }
  // After the key: a repeat needs no key filled, its kind's templates may have changed meanwhile.
  const locks = lockKeysOf(spec, defaults.lockTemplates);
  if ("unfilled" in locks) return refusal("lock-template-unfilled", locks.unfilled);
  const number = ledger.jobs.length + batch.jobs.length;
  const place = { id, number, logIndex: index, createdMs: ledger.clockMs };
  return { kind: "new", job: newJob(spec, defaults, queue, locks.keys, place) };
}

function refusal(reason: Refused["reason"], value: string, jobId = ""): Omit<Refused, "position"> {
  return { kind: "submit-refused", reason, value, jobId };
}

function newJob(
  spec: JobSpec,
  defaults: Kind,
  queue: string,
  lockKeys: readonly string[],
  place: Pick<JobRecord, "id" | "number" | "logIndex" | "createdMs">,
): JobRecord {
  // Copied: the bytes may be a view of a whole message, which would stay in memory with them.
  const payload = new Uint8Array(spec.payload);
  const runAtMs = wholeMs(spec.runAtMs);
  const isLater = runAtMs > place.createdMs;
  return {
    ...place,
    kind: spec.kind,
    queue,
    payload,
    priority: spec.priority,
    maxAttempts: wholeMs(spec.maxAttempts) || defaults.maxAttempts,
    backoff: spec.backoff === null ? defaults.backoff : normalBackoff(spec.backoff),
    attemptTimeoutMs: wholeMs(spec.attemptTimeoutMs) || defaults.attemptTimeoutMs,
    lockKeys,
    idempotencyKey: spec.idempotencyKey,
    traceparent: spec.traceparent,
    submitted: { ...spec, payload },
    state: isLater ? JobState.Scheduled : JobState.Queued,
    runAtMs: runAtMs === 0 ? place.createdMs : runAtMs,
    changeIndex: place.logIndex,
    dispatch: 0,
    parkedFor: "",
    attemptsUsed: 0,
    attempts: [],
    result: null,
    error: null,
    endMs: 0,
    receipts: [],
    refusedCount: 0,
    currentToken: 0,
    refusedStartId: "",
    place: 0,
    claimExpiryMs: 0,
    keysUntilMs: 0,
  };
}
