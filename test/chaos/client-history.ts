// What the callers of a run saw, written down for the checker of linearizability.
//
// Guarantees: times are this process's monotonic milliseconds. A call that failed may have happened
// or not, at any time after it began: also one that says "nothing happened", since the channel may
// have sent it twice. The gateway may send a submission again by itself, so each key has one more
// submission of unknown outcome; as jobs, keys and cancellations are idempotent, one stands for
// all.
// Does not own: the verdict (sim/linearizability).

import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import { AttemptOutcome, type Job, JobState } from "../../protos/gen/quorumq/v1/job.ts";
import { Code, type PipelineError } from "../../transport/pipeline-error.ts";
import { checkParts } from "../sim/linearizability/check-parts.ts";
import type {
  JobCall,
  JobOperation,
  JobOutcome,
  JobView,
} from "../sim/linearizability/job-call.ts";
import { jobClientModel } from "../sim/linearizability/job-client-model.ts";
import { partitionJobs } from "../sim/linearizability/job-parts.ts";
import { partsText } from "../sim/linearizability/text.ts";

export interface HistoryVerdict {
  readonly kind: "linearizable" | "violated" | "undecided";
  readonly operations: number;
  /** Histories of one job each. */
  readonly parts: number;
  /** What is wrong, to be read; empty when nothing is. */
  readonly text: string;
}

export class ClientHistory {
  readonly #nowMs: () => number;
  readonly #operations: JobOperation[] = [];
  /** Calls of unknown outcome that are written down. */
  readonly #open = new Set<string>();

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** To be asked before a call that is recorded later. */
  nowMs(): number {
    return this.#nowMs();
  }

  /** `outcome` null: unknown. */
  record(client: string, call: JobCall, calledAt: number, outcome: JobOutcome | null): void {
    const returnedAt = this.#nowMs();
    if (call.kind === "submit" || outcome === null) this.#recordOpen(client, call, calledAt);
    if (outcome === null) return;
    this.#operations.push({ client, call, calledAt, returnedAt, outcome });
  }

  check(): HistoryVerdict {
    const verdict = checkParts(jobClientModel, partitionJobs(this.#operations));
    return {
      kind: verdict.kind,
      operations: this.#operations.length,
      parts: verdict.partCount,
      text: partsText(verdict),
    };
  }

  #recordOpen(client: string, call: JobCall, calledAt: number): void {
    // A read that nobody saw says nothing.
    if (call.kind === "get") return;
    const key = JSON.stringify(call);
    if (this.#open.has(key)) return;
    this.#open.add(key);
    const returnedAt = Number.POSITIVE_INFINITY;
    this.#operations.push({ client, call, calledAt, returnedAt, outcome: "unknown" });
  }
}

export function submitCall(job: JobSpec): JobCall {
  const { idempotencyKey, payload, ...rest } = job;
  return {
    kind: "submit",
    key: idempotencyKey,
    spec: JSON.stringify([Buffer.from(payload).toString(), rest]),
    maxAttempts: job.maxAttempts,
    isDelayed: false,
  };
}

/** What an error says for certain; null: nothing. */
export function outcomeOfError({ code, reason, metadata }: PipelineError): JobOutcome | null {
  if (code === Code.NotFound && reason === "JOB_NOT_FOUND") return { kind: "job-not-found" };
  if (reason === "IDEMPOTENCY_KEY_REUSED") {
    return { kind: "submit-refused", reason: "idempotency-key-reused" };
  }
  if (reason !== "JOB_FINISHED") return null;
  return { kind: "cancel-refused", state: wordOf(metadata["state"] ?? "") as JobView["state"] };
}

export function viewOf(job: Job): JobView {
  return {
    state: wordOf(nameOf(JobState, job.state, "JOB_STATE_")) as JobView["state"],
    attempts: job.attempts.map(({ token, outcome }) => ({
      token,
      outcome: wordOf(
        nameOf(AttemptOutcome, outcome, "ATTEMPT_OUTCOME_"),
      ) as JobView["attempts"][number]["outcome"],
    })),
    result: job.result.length === 0 ? null : Buffer.from(job.result).toString(),
    error: job.error === undefined ? null : job.error.code,
  };
}

function nameOf(values: Readonly<Record<string, number>>, value: number, prefix: string): string {
  const name = Object.entries(values).find(([, one]) => one === value)?.[0];
  if (name === undefined) throw new Error(`${prefix}${value} is no value`);
  return name.slice(prefix.length);
}

/** TIMED_OUT as the model writes it. */
function wordOf(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}
