// Commands whose fields hold anything, and which still meet: what no proposer would let through.

import fc from "fast-check";
import type { Command, CommandBody, JobSpec, Kind } from "../../../ledger/command.ts";
import type { Backoff, JobError } from "../../../ledger/job.ts";
import type { Ledger } from "../../../ledger/ledger.ts";
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
});
const error: fc.Arbitrary<JobError | null> = fc.option(
  fc.record({ code: text, message: text, retryable: fc.boolean() }),
);
const kindName = fc.constantFrom("", "a", "b", "__proto__");
const spec: fc.Arbitrary<JobSpec> = fc.record({
  kind: kindName,
  queue: fc.constantFrom("", "", "", "a", "b"),
  payload,
  priority: number,
  runAtMs: number,
  maxAttempts: number,
  backoff: fc.option(backoff),
  attemptTimeoutMs: number,
  lockKeys: fc.oneof(
    fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 }),
    fc.array(text, { maxLength: 3 }),
  ),
  idempotencyKey: text,
  traceparent: text,
});
const kind: fc.Arbitrary<Kind> = fc.record({
  kind: kindName,
  queue: kindName,
  maxAttempts: number,
  backoff,
  attemptTimeoutMs: number,
  lockTemplates: fc.array(text, { maxLength: 2 }),
});

const rare: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant("register-kinds"), kinds: fc.array(kind, { maxLength: 3 }) }),
  fc.record({
    kind: fc.constant("renew-leases"),
    worker: text,
    renewals: fc.array(fc.record({ jobId, token: number }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("cancel-job"), jobId, reason: text }),
  fc.record({ kind: fc.constant("open-term"), leader: text }),
  fc.constant({ kind: "tick" } as const),
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
  if (!("jobId" in body) || !body.jobId.startsWith("@")) return one;
  const job = ledger.jobs.at(-1 - Number(body.jobId.slice(1)));
  if (job === undefined) return one;
  const aimed = { ...body, jobId: job.id };
  if (aimed.kind !== "finish-attempt" || aimed.token !== 1) return { ...one, body: aimed };
  return { ...one, body: { ...aimed, token: job.currentToken } };
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
