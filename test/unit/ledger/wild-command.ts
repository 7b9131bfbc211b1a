// Commands whose fields hold anything, and which still meet: what no proposer would let through.

import fc from "fast-check";
import type {
  AttemptReport,
  Command,
  CommandBody,
  JobSpec,
  Kind,
  LockRef,
} from "../../../ledger/command.ts";
import type { Backoff, JobError } from "../../../ledger/job.ts";
import type { Ledger } from "../../../ledger/ledger.ts";
import type { ScheduleRule, ScheduleTick } from "../../../ledger/schedule.ts";
import { kindOf } from "./world.ts";

const number = fc.oneof(
  fc.nat(40),
  fc.double(),
  fc.constantFrom(0, -1, -0, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 53, 2 ** 64, 1e308),
);
const text = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "b",
    "__proto__",
    "constructor",
    "{a}",
    "x:{a}:{b}",
    "{",
    "}{",
    "\ud800",
  ),
  fc.string({ unit: "binary", maxLength: 6 }),
);

/** "@3" is a job that exists, see aim. */
const jobId = fc.oneof(
  { weight: 8, arbitrary: fc.nat(9).map((number) => `@${number}`) },
  { weight: 1, arbitrary: fc.nat(40).map((index) => `j-${index}`) },
  { weight: 1, arbitrary: text },
);
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc.json({ maxDepth: 1 }).map((json) => new TextEncoder().encode(json)),
  fc
    .constantFrom('{"a":"k"}', '{"a":1,"b":true}', "[[[", "null")
    .map((json) => new TextEncoder().encode(json)),
);
const backoff: fc.Arbitrary<Backoff> = fc.record({
  initialMs: number,
  multiplier: number,
  maxMs: number,
  jitter: number,
});
const error: fc.Arbitrary<JobError | null> = fc.option(
  fc.record({ code: text, message: text, retryable: fc.boolean() }),
);
const kindName = fc.constantFrom("", "a", "b", "__proto__");
const concurrencyKey = fc.record({ key: fc.constantFrom("", "a", "b", "{a}"), limit: number });
const spec: fc.Arbitrary<JobSpec> = fc.record({
  kind: kindName,
  queue: fc.constantFrom("", "", "", "a", "b"),
  payload,
  priority: number,
  runAtMs: number,
  maxAttempts: number,
  backoff: fc.option(backoff),
  attemptTimeoutMs: number,
  totalTimeoutMs: number,
  lockKeys: fc.oneof(
    fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 }),
    fc.array(text, { maxLength: 3 }),
  ),
  concurrencyKeys: fc.array(concurrencyKey, { maxLength: 2 }),
  idempotencyKey: text,
  traceparent: text,
  parent: number,
  onChildFailure: fc.constantFrom("fail-parent", "run-parent"),
});
const kind: fc.Arbitrary<Kind> = fc.record({
  kind: kindName,
  queue: kindName,
  maxAttempts: number,
  backoff,
  attemptTimeoutMs: number,
  totalTimeoutMs: number,
  lockTemplates: fc.array(text, { maxLength: 2 }),
  concurrencyTemplates: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(concurrencyKey, { maxLength: 2 }) },
  ),
});

const scheduleId = fc.constantFrom("", "s", "t", "__proto__");
const rule: fc.Arbitrary<ScheduleRule> = fc.record({
  cron: text,
  timeZone: text,
  intervalMs: number,
  startMs: number,
  endMs: number,
  overlap: fc.constantFrom("skip", "queue", "allow"),
  missed: fc.constantFrom("skip", "once", "all"),
  missedAfterMs: number,
});
const tick: fc.Arbitrary<ScheduleTick> = fc.record({
  scheduleId,
  number,
  decidedMs: number,
  slots: fc.array(number, { maxLength: 4 }),
  traceparents: fc.array(text, { maxLength: 3 }),
  nextSlotMs: number,
  hasGap: fc.boolean(),
});
const lockRef: fc.Arbitrary<LockRef> = fc.record({
  lockId: fc.oneof(
    { weight: 8, arbitrary: fc.nat(9).map((number) => `@${number}`) },
    { weight: 1, arbitrary: text },
  ),
  token: fc.oneof(fc.constant(1), number),
});

const rare: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant("register-kinds"), kinds: fc.array(kind, { maxLength: 3 }) }),
  fc.record({
    kind: fc.constant("renew-leases"),
    worker: text,
    renewals: fc.array(fc.record({ jobId, token: number }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("cancel-job"), jobId, reason: text }),
  fc.record({
    kind: fc.constant("set-queue"),
    queue: fc.constantFrom("", "a", "b", "*", "new"),
    isPaused: fc.option(fc.boolean()),
    runningMax: fc.option(number),
    rate: fc.option(fc.record({ count: number, periodMs: number })),
    waitingMax: fc.option(number),
  }),
  fc.record({
    kind: fc.constant("drain-queue"),
    queue: fc.constantFrom("", "a", "b", "*"),
    withScheduled: fc.boolean(),
    jobsMax: number,
    untilArrival: number,
    reason: text,
  }),
  fc.record({
    kind: fc.constant("report-progress"),
    worker: text,
    reports: fc.array(
      fc.record({
        jobId,
        token: fc.oneof(fc.constant(1), number),
        sequence: number,
        progress: fc.option(fc.uint8Array({ maxLength: 4 })),
        lines: fc.array(text, { maxLength: 3 }),
        lineCount: number,
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record({ kind: fc.constant("retry-job"), jobId, requestId: text }),
  fc.record({
    kind: fc.constant("retry-jobs"),
    filter: fc.record({
      state: fc.constantFrom("failed", "cancelled"),
      kind: kindName,
      queue: kindName,
      errorCode: text,
      createdFromMs: number,
      createdBeforeMs: number,
    }),
    requestId: text,
    fromNumber: number,
    retriesMax: number,
  }),
  fc.record({ kind: fc.constant("open-term"), leader: text }),
  fc.record({
    kind: fc.constant("forget-jobs"),
    endedBeforeMs: number,
    keptMax: number,
    spareBeforeMs: number,
    keyMs: number,
    limit: number,
  }),
  fc.record({
    kind: fc.constant("acquire-lock"),
    lockKeys: fc.array(fc.oneof(fc.constantFrom("a", "b", "c"), text), { maxLength: 3 }),
    owner: text,
    requestId: text,
    ttlMs: number,
    waitMs: number,
  }),
  fc.record({ kind: fc.constant("renew-locks"), locks: fc.array(lockRef, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant("release-locks"), locks: fc.array(lockRef, { maxLength: 3 }) }),
  fc.constant({ kind: "tick" } as const),
  fc.record({ kind: fc.constant("create-schedule"), scheduleId, rule, job: spec }),
  fc.record({ kind: fc.constant("delete-schedule"), scheduleId }),
  fc.record({ kind: fc.constant("set-schedule-paused"), scheduleId, isPaused: fc.boolean() }),
  fc.record({
    kind: fc.constant("trigger-schedule"),
    scheduleId,
    idempotencyKey: text,
    traceparent: text,
    mayOverlap: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("tick-schedules"), ticks: fc.array(tick, { maxLength: 3 }) }),
  fc.constant({ kind: "unknown" } as const),
);
const usual: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant("submit-jobs"), jobs: fc.array(spec, { maxLength: 3 }) }),
  fc.record({
    kind: fc.constant("start-attempt"),
    jobId,
    worker: text,
    startId: text,
    leaseMs: number,
  }),
  fc.record({
    kind: fc.constant("finish-attempt"),
    jobId,
    token: fc.oneof(fc.constant(1), number),
    worker: text,
    outcome: fc.constantFrom("succeeded", "failed", "timed-out", "handed-back", "fenced"),
    result: fc.option(fc.uint8Array({ maxLength: 4 })),
    error,
  }),
);
const body = fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: rare });
export const wildCommand: fc.Arbitrary<Command> = fc.record({
  timeMs: number,
  random: number,
  body,
});

/**
 * Turns "@n" into one of the jobs, and the token 1 into its current one: chance would miss both.
 */
export function aim(ledger: Ledger, one: Command): Command {
  const { body } = one;
  if (body.kind === "tick-schedules") return { ...one, body: aimTicks(ledger, body.ticks) };
  if (body.kind === "report-progress") {
    return { ...one, body: { ...body, reports: body.reports.map((it) => aimReport(ledger, it)) } };
  }
  if ("locks" in body) {
    const locks = body.locks.map((ref) => aimAtLock(ledger, ref));
    return { ...one, body: { ...body, locks } };
  }
  if (!("jobId" in body) || !body.jobId.startsWith("@")) return one;
  const job = [...ledger.jobs].at(-1 - Number(body.jobId.slice(1)));
  if (job === undefined) return one;
  const aimed = { ...body, jobId: job.id };
  if (aimed.kind !== "finish-attempt" || aimed.token !== 1) return { ...one, body: aimed };
  return { ...one, body: { ...aimed, token: job.currentToken } };
}

/** As those that there are would take it, but for what the slots are. */
function aimTicks(ledger: Ledger, ticks: readonly ScheduleTick[]): CommandBody {
  const aimed = ticks.map((tick) => {
    const { number = tick.number, decidedMs = tick.decidedMs } =
      ledger.schedules.get(tick.scheduleId) ?? {};
    const slots = tick.slots.map((slot) => (slot >= 0 && slot < 50 ? decidedMs + slot : slot));
    return { ...tick, number, decidedMs, slots };
  });
  return { kind: "tick-schedules", ticks: aimed };
}

function aimReport(ledger: Ledger, report: AttemptReport): AttemptReport {
  if (!report.jobId.startsWith("@")) return report;
  const job = [...ledger.jobs].at(-1 - Number(report.jobId.slice(1)));
  if (job === undefined) return report;
  const token = report.token === 1 ? job.currentToken : report.token;
  return { ...report, jobId: job.id, token };
}

function aimAtLock(ledger: Ledger, ref: LockRef): LockRef {
  const lock = [...ledger.locks.values()].at(-1 - Number(ref.lockId.slice(1)));
  if (lock === undefined || !ref.lockId.startsWith("@")) return ref;
  return { lockId: lock.id, token: ref.token === 1 ? lock.token : ref.token };
}

/** Without any kind known hardly a job would be accepted. */
export const KNOWN: Command = {
  timeMs: 1,
  random: 0,
  body: {
    kind: "register-kinds",
    kinds: ["", "a", "b"].map((name) => kindOf({ kind: name, queue: name })),
  },
};
