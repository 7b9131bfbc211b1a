// A typed submission as the message that is sent: one job, or a parent with its children.
//
// Guarantees: every input, also of a child of a child, is checked against its definition's schema
// before anything is sent, and so are the options that no message could carry (an invalid Date, a
// number that is none); all that do not fit are named in one error. A submission has an idempotency
// key, made here if not given; children have none, their parent's stands for them.
// Does not own: sending (over-connection.ts), nor what the gateway checks (gateway/validate.ts).

import { randomUUID } from "node:crypto";
import { ChildFailurePolicy, JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { Violation } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import { durationOf, toWireBackoff } from "../../transport/wire-value.ts";
import type { JobDefinition, RetryPolicy } from "../define-job.ts";
import { withJitter } from "../kind-registration.ts";
import { describeIssues } from "../standard-schema.ts";
import type { CallOptions } from "./call-options.ts";

/** What may be said of any job of a submission. */
export interface JobSubmitOptions {
  /** Not before this time, or this long from now. */
  readonly runAt?: Date;
  readonly delayMs?: number;
  /** 0 to 1000; higher runs earlier. */
  readonly priority?: number;
  /** Of the job from its submission to its end. Default: what the definition says. */
  readonly totalTimeoutMs?: number;
  /** Default: what the definition's lock templates give. */
  readonly lockKeys?: readonly string[];
  /** Default: what the definition's concurrency templates give. */
  readonly concurrencyKeys?: readonly { readonly key: string; readonly limit: number }[];
  /** Default: where the definition says. */
  readonly queue?: string;
  /** Instead of the definition's `retry.maxAttempts`. */
  readonly maxAttempts?: number;
  /** Instead of the definition's `retry.backoff`. */
  readonly backoff?: RetryPolicy["backoff"];
  /** Of an attempt, instead of the definition's. */
  readonly timeoutMs?: number;
}

export interface SubmitOptions extends JobSubmitOptions, CallOptions {
  /** One submission per key; made up when absent. */
  readonly idempotencyKey?: string;
  /** For being accepted; with `run` also for the result. Default 10 s, `run` no limit. */
  readonly deadlineMs?: number;
}

/** Of one of the jobs of a `submitAll`. */
export type EachOptions = JobSubmitOptions & Pick<SubmitOptions, "idempotencyKey">;

export interface SubmitAllOptions<Input> extends CallOptions {
  /** What is said of each job: its key, priority, delay and so on. */
  readonly each?: (input: Input, at: number) => EachOptions;
}

export interface FamilyOptions<Children extends readonly FlowChild[] = readonly FlowChild[]> {
  /** Jobs that end before this one runs: made with `child`. At most 5 levels, 1000 jobs in all. */
  readonly children: Children;
  /**
   * When a child fails or is cancelled: "fail-parent" (default) fails this job at once, unrun;
   * "run-parent" runs it when all children have ended, and its handler sees how they did.
   */
  readonly onChildFailure?: "fail-parent" | "run-parent";
}

export type ChildOptions = JobSubmitOptions & Partial<FamilyOptions>;

/** A job that another one waits for: its definition, input and options, before it is submitted. */
export interface FlowChild<Output = unknown> {
  readonly definition: JobDefinition;
  readonly input: unknown;
  readonly options: ChildOptions;
  /** For the compiler only. */
  readonly types?: { readonly output: Output };
}

/** A child for `submitFlow`, or for another child. */
export function child<Input, Output>(
  definition: JobDefinition<string, Input, Output>,
  input: Input,
  options: ChildOptions = {},
): FlowChild<Output> {
  return { definition, input, options };
}

/** Throws INVALID_FIELD for the inputs that do not fit. */
export async function toSpec(
  top: FlowChild,
  idempotencyKey: string | undefined,
  nowMs: () => number,
): Promise<JobSpec> {
  const violations: Violation[] = [];
  checkText(idempotencyKey ?? "", "job.idempotency_key", violations);
  const spec = await specOf(top, "job", nowMs(), violations);
  refuse(top.definition.kind, violations);
  return { ...spec, idempotencyKey: idempotencyKey ?? randomUUID() };
}

/** As toSpec, of jobs of one definition that are submitted together. */
export async function toSpecs<Input>(
  definition: JobDefinition,
  inputs: readonly Input[],
  { each }: SubmitAllOptions<Input>,
  nowMs: () => number,
): Promise<JobSpec[]> {
  const violations: Violation[] = [];
  const specs: JobSpec[] = [];
  for (const [at, input] of inputs.entries()) {
    const { idempotencyKey = randomUUID(), ...options } = each?.(input, at) ?? {};
    checkText(idempotencyKey, `jobs[${at}].idempotency_key`, violations);
    const one = child(definition, input, options);
    specs.push({ ...(await specOf(one, `jobs[${at}]`, nowMs(), violations)), idempotencyKey });
  }
  refuse(definition.kind, violations);
  return specs;
}

function refuse(kind: string, violations: readonly Violation[]): void {
  const [first] = violations;
  if (first === undefined) return;
  const others = violations.length - 1;
  const more = others === 0 ? "" : `, and ${others} more do not fit theirs`;
  throw refusal("INVALID_FIELD", `${first.description}${more}`, {
    metadata: { field: first.field, kind },
    violations,
  });
}

async function specOf(
  { definition, input, options }: FlowChild,
  path: string,
  nowMs: number,
  violations: Violation[],
): Promise<JobSpec> {
  const checked = await definition.input["~standard"].validate(input);
  if (checked.issues !== undefined) {
    const issues = describeIssues(checked.issues);
    const description = `the input does not fit ${definition.kind}: ${issues}`;
    violations.push({ field: `${path}.payload`, description });
  }
  const children: JobSpec[] = [];
  for (const [at, one] of (options.children ?? []).entries()) {
    children.push(await specOf(one, `${path}.children[${at}]`, nowMs, violations));
  }
  const { runAt, delayMs, totalTimeoutMs, maxAttempts, backoff, timeoutMs } = options;
  checkOptions(options, nowMs, path, violations);
  // What is refused is not made into a message.
  const payload = jsonOf(input, `${path}.payload`, violations);
  if (violations.length > 0) return JobSpec.create();
  return JobSpec.fromPartial({
    kind: definition.kind,
    queue: options.queue ?? definition.queue,
    // What was handed in, not what the schema made of it: the worker's own schema does that again.
    payload,
    priority: options.priority ?? 0,
    maxAttempts: maxAttempts ?? 0,
    backoff: backoff === undefined ? undefined : toWireBackoff(withJitter(backoff)),
    attemptTimeout: timeoutMs === undefined ? undefined : durationOf(timeoutMs),
    runAt: runAt ?? (delayMs === undefined ? undefined : new Date(nowMs + delayMs)),
    totalTimeout: totalTimeoutMs === undefined ? undefined : durationOf(totalTimeoutMs),
    lockKeys: [...(options.lockKeys ?? [])],
    concurrencyKeys: [...(options.concurrencyKeys ?? [])],
    children,
    onChildFailure: POLICIES[options.onChildFailure ?? "fail-parent"],
  });
}

function jsonOf(input: unknown, field: string, violations: Violation[]): Buffer {
  try {
    return Buffer.from(JSON.stringify(input) ?? "null", "utf8");
  } catch {
    // A BigInt, or a value that is inside itself: JSON.stringify has no other way to say so.
    violations.push({ field, description: `${field} cannot be written as JSON` });
    return Buffer.alloc(0);
  }
}

function checkOptions(
  options: ChildOptions,
  nowMs: number,
  path: string,
  violations: Violation[],
): void {
  const add = (field: string, value: unknown, allowed: string): void => {
    const description = `${field} is ${String(value)}; allowed: ${allowed}`;
    violations.push({ field: `${path}.${field}`, description });
  };
  const { runAt, delayMs, priority = 0, totalTimeoutMs = 0 } = options;
  if (runAt !== undefined && Number.isNaN(runAt.getTime())) add("runAt", runAt, "a time");
  if (delayMs !== undefined && Number.isNaN(new Date(nowMs + delayMs).getTime())) {
    add("delayMs", delayMs, "a number of milliseconds");
  }
  const { maxAttempts = 0, timeoutMs = 0, backoff } = options;
  if (!Number.isInteger(maxAttempts)) add("maxAttempts", maxAttempts, "a whole number");
  if (!Number.isInteger(timeoutMs)) add("timeoutMs", timeoutMs, "whole milliseconds");
  const { initialMs = 0, maxMs = 0 } = backoff ?? {};
  if (!Number.isInteger(initialMs)) add("backoff.initialMs", initialMs, "whole milliseconds");
  if (!Number.isInteger(maxMs)) add("backoff.maxMs", maxMs, "whole milliseconds");
  if (!Number.isInteger(priority)) add("priority", priority, "a whole number");
  if (!Number.isInteger(totalTimeoutMs)) {
    add("totalTimeoutMs", totalTimeoutMs, "a whole number of milliseconds");
  }
  for (const [at, { key, limit }] of (options.concurrencyKeys ?? []).entries()) {
    checkText(key, `${path}.concurrencyKeys[${at}].key`, violations);
    const isCount = Number.isInteger(limit) && limit >= 0;
    if (!isCount) add(`concurrencyKeys[${at}].limit`, limit, "a whole number");
  }
  for (const [at, key] of (options.lockKeys ?? []).entries()) {
    checkText(key, `${path}.lockKeys[${at}]`, violations);
  }
}

/** Two texts that differ in what UTF-8 does not have would be the same one on the wire. */
function checkText(text: string, field: string, violations: Violation[]): void {
  if (text.isWellFormed()) return;
  violations.push({ field, description: `${field} is not Unicode: it has half a surrogate pair` });
}

const POLICIES = {
  "fail-parent": ChildFailurePolicy.CHILD_FAILURE_POLICY_FAIL_PARENT,
  "run-parent": ChildFailurePolicy.CHILD_FAILURE_POLICY_RUN_PARENT,
} as const;
