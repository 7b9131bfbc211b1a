// The model of a job against the ledger itself: of every answer that one might think of, the model
// allows those that the ledger gives in some course of time, and no others.
//
// How: random operations one after another. Between two of them all that matters is tried: leases
// that end, attempts that time out, backoffs that pass, another job that takes the lock or gives it
// back. That gives every sequence of answers that the ledger can give; the model is asked about
// each next answer, and about many that do not occur. LINEARIZABILITY_RUNS sets how many.

import { describe, expect, test } from "@jest/globals";
import type { Command, CommandBody } from "../../../../ledger/command.ts";
import { apply, createLedger, getJob, type Ledger } from "../../../../ledger/ledger.ts";
import type { Result } from "../../../../ledger/result.ts";
import type {
  AskedCall,
  JobOutcome,
  JobState,
  Report,
} from "../../../sim/linearizability/job-call.ts";
import { type JobKnowledge, jobModel } from "../../../sim/linearizability/job-model.ts";
import { outcomeOf, readOf, renewalOf } from "../../../sim/linearizability/job-observation.ts";
import { bytes, kindOf, START_MS, specOf } from "../../ledger/world.ts";
import { Draw } from "./draw.ts";

const RUNS = Number(process.env["LINEARIZABILITY_RUNS"] ?? 40);
const OPERATIONS = 6;
const LEASE_MS = 5_000;
const TIMEOUT_MS = 3_000;
const BACKOFF_MS = 1_000;
/** Commands in a gap, so that indexes, which are tokens, do not depend on what happens in it. */
const GAP_COMMANDS = 4;
const OTHER = "j-2";
const JOB_INDEX = 3 + GAP_COMMANDS;
const REPORTS: readonly Report[] = ["succeeded", "failed", "timed-out", "handed-back", "fenced"];
const STATES = ["scheduled", "queued", "running", "succeeded", "failed", "cancelled"] as const;

type Gap = readonly [time: (typeof TIMES)[number], lock: "keep" | "take" | "give"];

const TIMES = ["none", "lost", "lost and due", "timed out", "timed out and due"] as const;
const GAPS: readonly Gap[] = TIMES.flatMap((time): Gap[] => [
  [time, "keep"],
  [time, "take"],
  [time, "give"],
]);

interface Setup {
  readonly maxAttempts: number;
  readonly runAtMs: number;
}

/** One course of time, up to now. */
class Course {
  readonly ledger: Ledger = createLedger();
  readonly gaps: readonly Gap[];
  readonly outcomes: readonly JobOutcome[];
  readonly #setup: Setup;
  #index = 0;
  #nowMs = START_MS;

  constructor(setup: Setup, calls: readonly AskedCall[], gaps: readonly Gap[]) {
    this.#setup = setup;
    this.gaps = gaps;
    this.#commit({ kind: "register-kinds", kinds: [kindOf()] });
    this.#commit({ kind: "submit-jobs", jobs: [specOf({ lockKeys: ["k"] })] });
    this.outcomes = gaps.map((gap, position) => {
      this.#pass(gap);
      return this.#answer(calls[position] as AskedCall);
    });
  }

  /** Equal for courses that nothing later can tell apart. */
  get text(): string {
    const job = [...this.ledger.jobs][1];
    const other = [...this.ledger.jobs][0];
    const hidden = [job?.refusedStartId, job?.parkedFor, job?.attempts.map((a) => a.answer?.state)];
    return JSON.stringify([readOf(job), hidden, other?.state, this.outcomes]);
  }

  #pass([time, lock]: Gap): void {
    const end = this.#index + GAP_COMMANDS;
    const other = [...this.ledger.jobs][0];
    const live = [...this.ledger.jobs][1]?.currentToken ?? 0;
    if (lock === "give" && other?.currentToken) {
      this.#commit(finishOf(OTHER, other.currentToken, "handed-back", "", true));
    }
    if (time.startsWith("timed out")) {
      this.#nowMs += LEASE_MS - 1;
      const jobId = [...this.ledger.jobs][1]?.id ?? "";
      const renewals = [{ jobId, token: live }];
      this.#commit({ kind: "renew-leases", worker: "w", renewals });
    }
    if (time !== "none") this.#tickAfter(LEASE_MS);
    if (time.endsWith("due")) this.#tickAfter(BACKOFF_MS);
    if (lock === "take") this.#commit(startOf(OTHER, `o${end}`));
    while (this.#index < end) this.#commit({ kind: "unknown" });
  }

  #tickAfter(ms: number): void {
    this.#nowMs += ms;
    // The other job never falls due: it would add what the model need not know.
    const token = [...this.ledger.jobs][0]?.currentToken ?? 0;
    const attempt = [...this.ledger.jobs][0]?.attempts.at(-1);
    if (token !== 0 && attempt !== undefined) attempt.leaseExpiryMs = Number.MAX_SAFE_INTEGER;
    this.#commit({ kind: "tick" });
  }

  #answer(call: AskedCall): JobOutcome {
    if (call.kind === "get") {
      // A read is no entry, but the indexes of all courses have to be the same.
      this.#commit({ kind: "unknown" });
      return readOf(getJob(this.ledger, call.jobId));
    }
    const result = this.#commit(bodyOf(call, this.#setup));
    if (result.kind === "renewed" && call.kind === "renew") {
      return renewalOf(result, call.jobId, call.token);
    }
    return outcomeOf(result);
  }

  #commit(body: CommandBody): Result {
    this.#index += 1;
    const command: Command = { timeMs: this.#nowMs, random: 7, body };
    return apply(this.ledger, this.#index, command).result;
  }
}

function bodyOf(call: Exclude<AskedCall, { kind: "get" }>, setup: Setup): CommandBody {
  switch (call.kind) {
    case "submit": {
      const spec = specOf({
        ...setup,
        payload: bytes(call.spec),
        idempotencyKey: call.key,
        lockKeys: ["k"],
        attemptTimeoutMs: TIMEOUT_MS,
        backoff: { initialMs: BACKOFF_MS, multiplier: 1, maxMs: BACKOFF_MS, jitter: 0.5 },
      });
      return { kind: "submit-jobs", jobs: [spec] };
    }
    case "start":
      return startOf(call.jobId, call.startId);
    case "finish":
      return finishOf(call.jobId, call.token, call.report, call.body, call.isRetryable);
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

function startOf(jobId: string, startId: string): CommandBody {
  return { kind: "start-attempt", jobId, worker: "w", startId, leaseMs: LEASE_MS };
}

function finishOf(
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

/** The first call submits the job, mostly; the rest act on it. */
function callOf(draw: Draw, setup: Setup, position: number): AskedCall {
  const jobId = `j-${JOB_INDEX}`;
  const isDelayed = setup.runAtMs > 0;
  const { maxAttempts } = setup;
  if (position === 0) return { kind: "submit", key: "k1", spec: "this", maxAttempts, isDelayed };
  // The start may have been at any position before.
  const token = JOB_INDEX + (GAP_COMMANDS + 1) * draw.below(position + 1);
  switch (draw.below(10)) {
    case 0: {
      const spec = draw.from(["this", "other"]);
      return { kind: "submit", key: "k1", spec, maxAttempts, isDelayed };
    }
    case 1:
    case 2:
    case 3:
    case 4:
      return { kind: "start", jobId, startId: draw.from(["", "s1", "s2", "s3"]) };
    case 5:
    case 6: {
      const report = draw.from(REPORTS);
      const isRetryable = !draw.oneIn(4);
      return { kind: "finish", jobId, token, report, body: draw.from(["a", "b"]), isRetryable };
    }
    case 7:
      return { kind: "renew", jobId, token };
    case 8:
      return draw.from<AskedCall>([
        { kind: "cancel", jobId },
        { kind: "get", jobId },
        { kind: "retry", jobId, requestId: draw.from(["r1", "r2"]) },
        { kind: "retry", jobId, requestId: "r1" },
      ]);
    default:
      return { kind: "get", jobId };
  }
}

/** Answers to be asked about: all that occur anywhere, and many that may not. */
function candidates(call: AskedCall, seen: readonly JobOutcome[], tokens: readonly number[]) {
  const outcomes: JobOutcome[] = [...seen, { kind: "job-not-found" }];
  for (const outcome of seen) {
    if (outcome.kind !== "job") continue;
    for (const state of STATES) outcomes.push({ kind: "job", view: { ...outcome.view, state } });
    const { view } = outcome;
    for (const result of ["a", null]) outcomes.push({ kind: "job", view: { ...view, result } });
    for (const error of ["a", "CANCELLED"])
      outcomes.push({ kind: "job", view: { ...view, error } });
    outcomes.push({ kind: "job", view: { ...view, attempts: view.attempts.slice(0, -1) } });
  }
  if (call.kind === "start") {
    for (const reason of ["finished", "cancelled", "held", "locked", "not-due"] as const) {
      outcomes.push({ kind: "start-refused", reason });
    }
    for (const token of tokens) {
      for (const number of [1, 2, 3, 4]) outcomes.push({ kind: "started", token, number });
    }
  }
  if (call.kind === "renew") outcomes.push({ kind: "renewed" });
  if (call.kind === "cancel") outcomes.push({ kind: "cancelled" });
  if (call.kind === "retry") outcomes.push({ kind: "retried" });
  if (call.kind === "submit") {
    outcomes.push({ kind: "submit-refused", reason: "idempotency-key-reused" });
    for (const deduplicated of [true, false]) {
      outcomes.push({ kind: "submitted", jobId: `j-${JOB_INDEX}`, deduplicated });
    }
  }
  for (const state of STATES as readonly JobState[]) {
    if (call.kind === "finish") outcomes.push({ kind: "finished", state });
    if (call.kind === "cancel") outcomes.push({ kind: "cancel-refused", state });
    if (call.kind === "retry") outcomes.push({ kind: "retry-refused", state });
    if (call.kind === "finish" || call.kind === "renew") {
      for (const currentToken of [0, ...tokens])
        outcomes.push({ kind: "fenced", currentToken, state });
    }
  }
  return new Map(outcomes.map((outcome) => [JSON.stringify(outcome), outcome]));
}

/**
 * What only one who knows more than the model can tell: that all jobs here have a backoff, and that
 * a token above all others is not the index of the entry that was written just now.
 */
function isBeyondModel(call: AskedCall, outcome: JobOutcome, past: readonly JobOutcome[]): boolean {
  if (call.kind === "finish" && call.report !== "handed-back") {
    return outcome.kind === "finished" && outcome.state === "queued";
  }
  if (outcome.kind !== "started") return false;
  return past.every((one) => one.kind !== "started" || one.token < outcome.token);
}

describe("the model of a job", () => {
  test("allows what the ledger answers in some course of time, and nothing else", () => {
    let [allowed, forbidden] = [0, 0];
    const wrong: string[] = [];
    for (let seed = 0; seed < RUNS; seed++) {
      const draw = new Draw(seed);
      const setup = {
        maxAttempts: 1 + draw.below(3),
        runAtMs: draw.oneIn(4) ? START_MS + BACKOFF_MS / 2 : 0,
      };
      const calls: AskedCall[] = [];
      let courses = [new Course(setup, [], [])];
      for (let position = 0; position < OPERATIONS; position++) {
        const call = callOf(draw, setup, position);
        calls.push(call);
        const next = new Map<string, Course>();
        for (const { gaps } of courses) {
          for (const gap of GAPS) {
            const course = new Course(setup, calls, [...gaps, gap]);
            next.set(course.text, course);
          }
        }
        const answers = new Map<string, Set<string>>();
        for (const { outcomes } of next.values()) {
          const past = JSON.stringify(outcomes.slice(0, -1));
          const last = JSON.stringify(outcomes.at(-1));
          answers.set(past, (answers.get(past) ?? new Set()).add(last));
        }
        const seen = [...next.values()].flatMap(({ outcomes }) => outcomes.slice(-1));
        const tokens = calls.map((_, at) => JOB_INDEX + (GAP_COMMANDS + 1) * at);
        const asked = candidates(call, seen, tokens);
        for (const [past, lasts] of answers) {
          const outcomes = JSON.parse(past) as JobOutcome[];
          const states = statesAfter(calls, outcomes);
          for (const [text, outcome] of asked) {
            if (!lasts.has(text) && isBeyondModel(call, outcome, outcomes)) continue;
            const isAllowed = states.some((one) => jobModel.step(one, call, outcome).length > 0);
            if (isAllowed !== lasts.has(text)) {
              const [is, does] = [isAllowed ? "allows" : "forbids", lasts.has(text) ? "" : "not "];
              const story = `${JSON.stringify(calls)} ${past}`;
              wrong.push(`seed ${seed}: ${is} what can ${does}be: ${text} after ${story}`);
            }
            if (isAllowed) allowed += 1;
            else forbidden += 1;
          }
        }
        courses = [...next.values()];
      }
    }
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(allowed).toBeGreaterThan(RUNS * 20);
    expect(forbidden).toBeGreaterThan(RUNS * 100);
  });
});

function statesAfter(
  calls: readonly AskedCall[],
  outcomes: readonly JobOutcome[],
): readonly JobKnowledge[] {
  let states: readonly JobKnowledge[] = [jobModel.initial()];
  for (const [position, outcome] of outcomes.entries()) {
    const call = calls[position] as AskedCall;
    states = states.flatMap((state) => jobModel.step(state, call, outcome));
  }
  return states;
}
