// Random histories of one job, answered by the real ledger.
//
// Guarantees: `goodJobHistory` is linearizable by construction: each command was applied at a
// moment within its operation's interval, in the order of those moments, with ticks in between.

import type { CommandBody, JobSpec } from "../../../../ledger/command.ts";
import { apply, createLedger, getJob, type Ledger } from "../../../../ledger/ledger.ts";
import type { Result } from "../../../../ledger/result.ts";
import type {
  AskedCall,
  AttemptOutcome,
  JobOperation,
  JobOutcome,
  JobState,
  Report,
} from "../../../sim/linearizability/job-call.ts";
import { outcomeOf, readOf, renewalOf } from "../../../sim/linearizability/job-observation.ts";
import { bytes, kindOf, START_MS, specOf } from "../../ledger/world.ts";
import type { Draw } from "./draw.ts";
import { interval, UNKNOWN_ONE_IN } from "./random-register.ts";

const LEASE_MS = 5_000;
const LOCK_KEY = "k";
const REPORTS: readonly Report[] = ["succeeded", "failed", "timed-out", "handed-back", "fenced"];
const STATES: readonly JobState[] = [
  "scheduled",
  "queued",
  "running",
  "succeeded",
  "failed",
  "cancelled",
];

/** How a run differs from others: drawn once. */
interface Plan {
  readonly spec: JobSpec;
  readonly maxAttempts: number;
}

export class JobRun {
  readonly ledger: Ledger = createLedger();
  readonly #draw: Draw;
  readonly #plan: Plan;
  readonly #hasRetries: boolean;
  #index = 0;
  #nowMs = START_MS;
  #tokens: number[] = [];

  constructor(draw: Draw, hasRetries = true) {
    this.#draw = draw;
    this.#hasRetries = hasRetries;
    const maxAttempts = 1 + draw.below(3);
    const spec = specOf({
      maxAttempts,
      runAtMs: draw.oneIn(3) ? START_MS + 2_000 : 0,
      lockKeys: draw.oneIn(2) ? [LOCK_KEY] : [],
      idempotencyKey: "order-1",
      backoff: { initialMs: draw.oneIn(2) ? 0 : 1_000, multiplier: 2, maxMs: 9_000, jitter: 0.5 },
      attemptTimeoutMs: draw.oneIn(3) ? 3_000 : 0,
    });
    this.#plan = { spec, maxAttempts };
    this.#commit({ kind: "register-kinds", kinds: [kindOf()] });
    // Another job that may hold the lock.
    this.#commit({ kind: "submit-jobs", jobs: [specOf({ lockKeys: [LOCK_KEY] })] });
  }

  /** What else happens between two operations: time, and another job that takes the lock. */
  pass(): void {
    const draw = this.#draw;
    this.#nowMs += draw.from([0, 1, 800, 2_500, 6_000]);
    const other = [...this.ledger.jobs][0];
    if (draw.oneIn(8)) this.#commit({ kind: "open-term", leader: "n1" });
    if (other !== undefined && draw.oneIn(4)) {
      const jobId = other.id;
      if (other.currentToken === 0) this.#commit(this.#startOf(jobId, `o${this.#index}`));
      else this.#commit(this.#finishOf(jobId, other.currentToken, "handed-back", "", true));
    }
    if (draw.below(3) > 0) this.#commit({ kind: "tick" });
  }

  call(): AskedCall {
    const draw = this.#draw;
    const jobId = this.#jobId;
    const token = draw.oneIn(4) ? this.#index : this.#recentToken();
    if (this.ledger.jobs.length < 2 && !draw.oneIn(5)) return this.#submission();
    switch (draw.below(12)) {
      case 0:
        return this.#submission();
      case 1:
      case 2:
      case 3:
        return { kind: "start", jobId, startId: `s${draw.below(4)}` };
      case 4:
      case 5:
      case 6: {
        const report = draw.from(REPORTS);
        const body = report === "succeeded" ? `"r${draw.below(2)}"` : `E${draw.below(2)}`;
        return { kind: "finish", jobId, token, report, body, isRetryable: draw.below(4) > 0 };
      }
      case 7:
        return { kind: "renew", jobId, token };
      case 8:
        if (draw.oneIn(2)) return { kind: "cancel", jobId };
        if (!this.#hasRetries) return { kind: "get", jobId };
        return { kind: "retry", jobId, requestId: `r${draw.below(2)}` };
      default:
        return { kind: "get", jobId };
    }
  }

  answer(call: AskedCall): JobOutcome {
    if (call.kind === "get") return readOf(getJob(this.ledger, call.jobId));
    const result = this.#commit(this.#bodyOf(call));
    if (result.kind === "started") this.#tokens.push(result.token);
    if (result.kind === "renewed" && call.kind === "renew") {
      return renewalOf(result, call.jobId, call.token);
    }
    return outcomeOf(result);
  }

  /** The job under test, or a name that none has. */
  get #jobId(): string {
    return [...this.ledger.jobs][1]?.id ?? `j-${this.#index + 1}`;
  }

  #recentToken(): number {
    return this.#tokens[this.#tokens.length - 1 - this.#draw.below(2)] ?? this.#tokens.at(-1) ?? 1;
  }

  #submission(): AskedCall {
    const spec = this.#draw.oneIn(10) ? "other" : "this";
    const isDelayed = this.#plan.spec.runAtMs > 0;
    const { maxAttempts } = this.#plan;
    return { kind: "submit", key: this.#plan.spec.idempotencyKey, spec, maxAttempts, isDelayed };
  }

  #bodyOf(call: Exclude<AskedCall, { kind: "get" }>): CommandBody {
    switch (call.kind) {
      case "submit": {
        const { spec } = this.#plan;
        return {
          kind: "submit-jobs",
          jobs: [call.spec === "this" ? spec : { ...spec, payload: bytes("other") }],
        };
      }
      case "start":
        return this.#startOf(call.jobId, call.startId);
      case "finish":
        return this.#finishOf(call.jobId, call.token, call.report, call.body, call.isRetryable);
      case "renew": {
        const renewals = [{ jobId: call.jobId, token: call.token }];
        return { kind: "renew-leases", worker: "w", renewals };
      }
      case "cancel":
        return { kind: "cancel-job", jobId: call.jobId, reason: "" };
      case "retry":
        return { kind: "retry-job", jobId: call.jobId, requestId: call.requestId };
    }
  }

  #startOf(jobId: string, startId: string): CommandBody {
    return { kind: "start-attempt", jobId, worker: "w", startId, leaseMs: LEASE_MS };
  }

  #finishOf(
    jobId: string,
    token: number,
    outcome: Report,
    body: string,
    retryable: boolean,
  ): CommandBody {
    const isDone = outcome === "succeeded";
    const result = isDone ? new TextEncoder().encode(body) : null;
    const error = isDone ? null : { code: body, message: "", retryable };
    return { kind: "finish-attempt", jobId, token, worker: "w", outcome, result, error };
  }

  #commit(body: CommandBody): Result {
    this.#index += 1;
    const random = this.#draw.below(2 ** 31);
    return apply(this.ledger, this.#index, { timeMs: this.#nowMs, random, body }).result;
  }
}

/** `spread`: how far an interval may reach beyond its moment; moments are 2 apart. */
export function goodJobHistory(
  draw: Draw,
  size: number,
  spread: number,
  hasRetries = true,
): JobOperation[] {
  const run = new JobRun(draw, hasRetries);
  const unknownOneIn = draw.from(UNKNOWN_ONE_IN);
  return Array.from({ length: size }, (_, position): JobOperation => {
    run.pass();
    const call = run.call();
    const isUnknown = draw.oneIn(unknownOneIn);
    const isApplied = !isUnknown || draw.oneIn(2);
    const outcome: JobOutcome = isApplied ? run.answer(call) : { kind: "job-not-found" };
    return {
      client: `c${position}`,
      call,
      ...interval(draw, position * 2, spread, outcome, isUnknown),
    };
  });
}

/** Another answer that the same kind of call might get. */
export function otherJobOutcome(draw: Draw, operation: JobOperation): JobOutcome {
  const { call, outcome } = operation;
  if (outcome === "unknown" || draw.oneIn(12)) return { kind: "job-not-found" };
  const state = draw.from(STATES);
  switch (outcome.kind) {
    case "submitted":
      if (draw.oneIn(2)) return { ...outcome, deduplicated: !outcome.deduplicated };
      return { ...outcome, jobId: "j-999" };
    case "started":
      if (draw.oneIn(3)) return { kind: "start-refused", reason: "held" };
      return { ...outcome, token: outcome.token + draw.below(9) - 4 };
    case "start-refused": {
      const reasons = ["finished", "cancelled", "held", "locked", "not-due"] as const;
      return { ...outcome, reason: draw.from(reasons) };
    }
    case "finished":
      if (draw.oneIn(2)) return { kind: "fenced", currentToken: 0, state };
      return { kind: "finished", state };
    case "fenced":
      if (draw.oneIn(3))
        return call.kind === "renew" ? { kind: "renewed" } : { kind: "finished", state };
      return { ...outcome, state };
    case "job":
      return { kind: "job", view: { ...outcome.view, ...viewChange(draw, outcome.view) } };
    case "cancelled":
      return { kind: "cancel-refused", state };
    case "cancel-refused":
      return draw.oneIn(2) ? { kind: "cancelled" } : { ...outcome, state };
    case "retried":
      return { kind: "retry-refused", state };
    case "retry-refused":
      return draw.oneIn(2) ? { kind: "retried" } : { ...outcome, state };
    default:
      return { kind: "fenced", currentToken: draw.below(9), state };
  }
}

type View = Extract<JobOutcome, { kind: "job" }>["view"];

function viewChange(draw: Draw, view: View): Partial<View> {
  const outcomes: readonly AttemptOutcome[] = [...REPORTS, "started", "lost", "cancelled"];
  switch (draw.below(4)) {
    case 0:
      return { state: draw.from(STATES) };
    case 1:
      return { result: draw.oneIn(2) ? '"r0"' : null };
    case 2:
      return { attempts: view.attempts.slice(0, -1) };
    default:
      return { attempts: view.attempts.map((one) => ({ ...one, outcome: draw.from(outcomes) })) };
  }
}
