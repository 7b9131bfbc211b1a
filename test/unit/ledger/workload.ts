// Random work for a ledger: few jobs, keys and workers, so that they meet.
//
// An intent says what to attempt in words ("finish the third job under an old token"); it becomes
// a command when the ledger's state is known. Guarantees: the same intents give the same log.

import fc from "fast-check";
import type {
  AttemptReport,
  CommandBody,
  JobSpec,
  LockRef,
  ReportedOutcome,
} from "../../../ledger/command.ts";
import { isTerminal } from "../../../ledger/job.ts";
import type { Ledger } from "../../../ledger/ledger.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import { scheduleBodyOf } from "./schedule-workload.ts";
import { bytes, kindOf, specOf } from "./world.ts";

export interface Intent {
  readonly what:
    | "submit"
    | "start"
    | "start-again"
    | "renew"
    | "finish"
    | "finish-late"
    | "cancel"
    | "tick"
    | "open-term"
    | "register"
    | "set-queue"
    | "drain"
    | "schedule"
    | "unschedule"
    | "pause"
    | "trigger"
    | "slots"
    | "slots-late"
    | "report"
    | "retry"
    | "retry-many"
    | "acquire"
    | "acquire-again"
    | "keep"
    | "let-go"
    | "forget";
  /** Which of the jobs, keys, workers. */
  readonly pick: number;
  readonly keys: readonly string[];
  readonly outcome: ReportedOutcome;
  readonly isRetryable: boolean;
  readonly delayMs: number;
  /** Time since the command before; sometimes it goes back. */
  readonly stepMs: number;
  readonly random: number;
}

export const KINDS = [
  kindOf({
    backoff: { initialMs: 100, multiplier: 3, maxMs: 5_000, jitter: 0.5 },
    attemptTimeoutMs: 8_000,
  }),
  kindOf({ kind: "print", maxAttempts: 2, lockTemplates: ["doc:{doc}"] }),
  kindOf({
    kind: "now",
    maxAttempts: 4,
    backoff: { initialMs: 0, multiplier: 1, maxMs: 0, jitter: 0.5 },
  }),
];

const QUEUES = ["default", "q0", "q1"];

const what: fc.Arbitrary<Intent["what"]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant("submit" as const) },
  { weight: 12, arbitrary: fc.constant("start" as const) },
  { weight: 2, arbitrary: fc.constant("start-again" as const) },
  { weight: 3, arbitrary: fc.constant("renew" as const) },
  { weight: 8, arbitrary: fc.constant("finish" as const) },
  { weight: 3, arbitrary: fc.constant("finish-late" as const) },
  { weight: 2, arbitrary: fc.constant("cancel" as const) },
  { weight: 5, arbitrary: fc.constant("tick" as const) },
  { weight: 1, arbitrary: fc.constant("open-term" as const) },
  { weight: 1, arbitrary: fc.constant("register" as const) },
  { weight: 2, arbitrary: fc.constant("set-queue" as const) },
  { weight: 1, arbitrary: fc.constant("drain" as const) },
  { weight: 2, arbitrary: fc.constant("schedule" as const) },
  { weight: 1, arbitrary: fc.constant("unschedule" as const) },
  { weight: 1, arbitrary: fc.constant("pause" as const) },
  { weight: 1, arbitrary: fc.constant("trigger" as const) },
  { weight: 8, arbitrary: fc.constant("slots" as const) },
  { weight: 1, arbitrary: fc.constant("slots-late" as const) },
  { weight: 3, arbitrary: fc.constant("report" as const) },
  { weight: 3, arbitrary: fc.constant("retry" as const) },
  { weight: 1, arbitrary: fc.constant("retry-many" as const) },
  { weight: 5, arbitrary: fc.constant("acquire" as const) },
  { weight: 2, arbitrary: fc.constant("acquire-again" as const) },
  { weight: 3, arbitrary: fc.constant("keep" as const) },
  { weight: 3, arbitrary: fc.constant("let-go" as const) },
  { weight: 2, arbitrary: fc.constant("forget" as const) },
);

export const intent: fc.Arbitrary<Intent> = fc.record({
  what,
  pick: fc.nat(1_000),
  keys: fc.uniqueArray(fc.constantFrom("a", "b", "c"), { maxLength: 3 }),
  outcome: fc.constantFrom("succeeded", "failed", "timed-out", "handed-back", "fenced"),
  isRetryable: fc.boolean(),
  delayMs: fc.constantFrom(0, 0, 0, 500, 20_000),
  stepMs: fc.constantFrom(0, 1, 100, 3_000, 12_000, -50),
  random: fc.nat(2 ** 32 - 1),
});

export function bodyOf(ledger: Ledger, intent: Intent, nowMs: number): CommandBody {
  const { pick } = intent;
  const open = [...ledger.jobs].filter((job) => !isTerminal(job.state));
  const job = pickOf(pick % 5 === 0 ? [...ledger.jobs] : open, pick);
  const live = pickOf([...ledger.running], pick);
  const worker = `w${pick % 3}`;
  switch (intent.what) {
    case "submit":
      return { kind: "submit-jobs", jobs: specsOf(intent, nowMs) };
    case "start":
      return startOf(job, worker, `s${pick}-${ledger.appliedIndex}`);
    case "start-again":
      return startOf(job, worker, job?.attempts.at(-1)?.startId || (job?.refusedStartId ?? ""));
    case "renew": {
      const renewals = [...ledger.jobs].slice(-4).map((one) => ({
        jobId: one.id,
        token: one.currentToken || pick,
      }));
      return { kind: "renew-leases", worker, renewals };
    }
    case "finish":
      return finishOf(live, live?.currentToken ?? 0, intent, worker);
    case "finish-late":
      return finishOf(job, pickOf(job?.attempts ?? [], pick)?.token ?? pick, intent, worker);
    case "cancel":
      return { kind: "cancel-job", jobId: job?.id ?? "", reason: "asked" };
    case "register":
      return {
        kind: "register-kinds",
        kinds: [{ ...KINDS[0], ...kindOf({ queue: `q${pick % 2}` }) }],
      };
    case "set-queue":
      return settingOf(intent);
    case "drain": {
      const queue = QUEUES[pick % QUEUES.length] ?? "default";
      const withScheduled = pick % 2 === 0;
      const untilArrival = pick % 3 === 0 ? ledger.lastArrival : 0;
      return {
        kind: "drain-queue",
        queue,
        withScheduled,
        jobsMax: 1 + (pick % 3),
        untilArrival,
        reason: "asked",
      };
    }
    case "report":
      return { kind: "report-progress", worker, reports: reportsOf(ledger, intent) };
    case "retry": {
      const ended = pickOf(
        [...ledger.jobs].filter((one) => isTerminal(one.state)),
        pick,
      );
      return { kind: "retry-job", jobId: ended?.id ?? "", requestId: `r${pick % 40}` };
    }
    case "retry-many": {
      const state = pick % 2 === 0 ? "failed" : "cancelled";
      const rest = { queue: "", errorCode: "", createdFromMs: 0, createdBeforeMs: 0 };
      const filter = { state, kind: pick % 3 === 0 ? "mail" : "", ...rest } as const;
      const from = { fromNumber: pick % 4, retriesMax: 1 + (pick % 3) };
      return { kind: "retry-jobs", filter, requestId: `m${pick % 8}`, ...from };
    }
    case "acquire":
      return acquireOf(intent, `r${ledger.appliedIndex}`);
    case "acquire-again":
      return againOf(ledger, intent);
    case "keep":
      return { kind: "renew-locks", locks: refsOf(ledger, intent) };
    case "let-go":
      return { kind: "release-locks", locks: refsOf(ledger, intent) };
    case "forget":
      return forgetOf(intent, nowMs);
    case "tick":
      return { kind: "tick" };
    case "open-term":
      return { kind: "open-term", leader: worker };
    default:
      return scheduleBodyOf(ledger, intent, nowMs);
  }
}

function specsOf({ pick, keys, delayMs }: Intent, nowMs: number): JobSpec[] {
  const spec = specOf({
    kind: ["mail", "print", "now"][pick % 3] ?? "mail",
    payload: bytes({ doc: keys[0] ?? "z" }),
    lockKeys: pick % 2 === 0 ? keys : [],
    priority: pick % 5 === 0 ? 7 : 0,
    concurrencyKeys: pick % 3 === 0 ? keys.map((key, at) => ({ key, limit: 1 + at })) : [],
    runAtMs: delayMs === 0 ? 0 : nowMs + delayMs,
    totalTimeoutMs: pick % 6 === 0 ? 15_000 : 0,
    idempotencyKey: pick % 4 === 0 ? `k${pick % 12}` : "",
  });
  if (pick % 6 === 0) return family(spec, pick);
  return Array.from({ length: 1 + (pick % 7 === 0 ? 2 : 0) }, () => spec);
}

/** Mostly what lets jobs go on: a queue that is paused for long makes a dull log. */
function settingOf({ pick, isRetryable }: Intent): CommandBody {
  const queue = ["*", ...QUEUES][pick % 4] ?? "*";
  const one = pick % 7;
  return {
    kind: "set-queue",
    queue,
    isPaused: one === 0 ? isRetryable && pick % 2 === 0 : false,
    runningMax: one < 3 ? pick % 4 : null,
    rate: queue !== "*" && one === 3 ? { count: pick % 3, periodMs: 4_000 } : null,
    waitingMax: queue !== "*" && one === 4 ? pick % 30 : null,
  };
}

/** By age, or beyond a few, or both; keys go at once, or some time later. */
function forgetOf({ pick }: Intent, nowMs: number): CommandBody {
  return {
    kind: "forget-jobs",
    endedBeforeMs: Math.max(0, nowMs - 3_000 * (pick % 5)),
    keptMax: pick % 3 === 0 ? pick % 4 : 1_000,
    spareBeforeMs: Math.max(0, nowMs - (pick % 2) * 1_000),
    keyMs: pick % 4 === 0 ? 0 : 60_000,
    limit: 1 + (pick % 4),
  };
}

/** Of the last few jobs, under a token that is or was current. */
function reportsOf(ledger: Ledger, { pick, keys }: Intent): AttemptReport[] {
  return [...ledger.jobs].slice(-3).map((job) => ({
    jobId: job.id,
    token: pickOf(job.attempts.slice(-2), pick)?.token ?? pick,
    sequence: 1 + (pick % 7),
    progress: pick % 3 === 0 ? bytes(pick) : null,
    lines: keys,
    lineCount: keys.length + (pick % 2),
  }));
}

/** Two to five jobs, of which some are children of those before them; the first one has the key. */
function family(spec: JobSpec, pick: number): JobSpec[] {
  return Array.from({ length: 2 + (pick % 4) }, (_, position): JobSpec => {
    const parent = (pick >>> position) % (position + 1);
    const onChildFailure = (pick >>> 3) % 2 === position % 2 ? "run-parent" : "fail-parent";
    const idempotencyKey = position === 0 ? spec.idempotencyKey : "";
    return { ...spec, parent, onChildFailure, idempotencyKey };
  });
}

function acquireOf({ pick, keys, delayMs }: Intent, requestId: string): CommandBody {
  const lockKeys = keys.length === 0 ? ["a"] : keys;
  const waitMs = [0, 6_000, 6_000, 60_000][pick % 4] ?? 0;
  const ask = { lockKeys, owner: `o${pick % 3}`, requestId, waitMs };
  return { kind: "acquire-lock", ...ask, ttlMs: delayMs === 0 ? 4_000 : 15_000 };
}

/** A copy of a request; sometimes of another with its id. */
function againOf(ledger: Ledger, intent: Intent): CommandBody {
  const lock = pickOf([...ledger.locks.values()], intent.pick);
  if (lock === undefined || intent.pick % 5 === 0) return acquireOf(intent, lock?.requestId ?? "");
  const { lockKeys, owner, requestId, ttlMs } = lock;
  return { kind: "acquire-lock", lockKeys, owner, requestId, ttlMs, waitMs: 7_000 };
}

/** Mostly of locks that are not over, mostly with the right token. */
function refsOf(ledger: Ledger, { pick }: Intent): LockRef[] {
  const all = [...ledger.locks.values()];
  const locks = pick % 5 === 0 ? all : all.filter(({ state }) => state !== "over");
  const count = 1 + (pick % 3);
  return locks
    .slice(pick % 2 === 0 ? 0 : -count, pick % 2 === 0 ? count : undefined)
    .map((lock) => ({
      lockId: lock.id,
      token: pick % 7 === 0 ? pick % 2 : lock.token,
    }));
}

function startOf(job: JobRecord | undefined, worker: string, startId: string): CommandBody {
  return { kind: "start-attempt", jobId: job?.id ?? "j-0", worker, startId, leaseMs: 5_000 };
}

function finishOf(
  job: JobRecord | undefined,
  token: number,
  { outcome, isRetryable, pick }: Intent,
  worker: string,
): CommandBody {
  const hasResult = outcome === "succeeded";
  return {
    kind: "finish-attempt",
    jobId: job?.id ?? "j-0",
    token,
    worker,
    outcome,
    result: hasResult ? bytes(pick) : null,
    error: hasResult ? null : { code: "E", message: "m", retryable: isRetryable },
  };
}

function pickOf<T>(items: readonly T[], pick: number): T | undefined {
  return items[pick % Math.max(1, items.length)];
}
