// Random work for a ledger: few jobs, keys and workers, so that they meet.
//
// An intent says what to attempt in words ("finish the third job under an old token"); it becomes
// a command when the ledger's state is known. Guarantees: the same intents give the same log.

import fc from "fast-check";
import type { CommandBody, JobSpec, ReportedOutcome } from "../../../ledger/command.ts";
import { isTerminal } from "../../../ledger/job.ts";
import type { Ledger } from "../../../ledger/ledger.ts";
import type { JobRecord } from "../../../ledger/record.ts";
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
    | "register";
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
  kindOf({ backoff: { initialMs: 100, multiplier: 3, maxMs: 5_000 }, attemptTimeoutMs: 8_000 }),
  kindOf({ kind: "print", maxAttempts: 2, lockTemplates: ["doc:{doc}"] }),
  kindOf({ kind: "now", maxAttempts: 4, backoff: { initialMs: 0, multiplier: 1, maxMs: 0 } }),
];

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
  const open = ledger.jobs.filter((job) => !isTerminal(job.state));
  const job = pickOf(pick % 5 === 0 ? ledger.jobs : open, pick);
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
      const renewals = ledger.jobs.slice(-4).map((one) => ({
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
    case "tick":
      return { kind: "tick" };
    case "open-term":
      return { kind: "open-term", leader: worker };
  }
}

function specsOf({ pick, keys, delayMs }: Intent, nowMs: number): JobSpec[] {
  const spec = specOf({
    kind: ["mail", "print", "now"][pick % 3] ?? "mail",
    payload: bytes({ doc: keys[0] ?? "z" }),
    lockKeys: keys,
    runAtMs: delayMs === 0 ? 0 : nowMs + delayMs,
    idempotencyKey: pick % 4 === 0 ? `k${pick % 12}` : "",
  });
  return Array.from({ length: 1 + (pick % 7 === 0 ? 2 : 0) }, () => spec);
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
