// A typed submission as the message that is sent: one job, or a parent with its children.
//
// Guarantees: every input, also of a child of a child, is checked against its definition's schema
// before anything is sent, and all that do not fit are named in one error. A submission has an
// idempotency key, made here if not given; children have none, their parent's stands for them.
// Does not own: sending (over-connection.ts), nor what the gateway checks (gateway/validate.ts).

import { randomUUID } from "node:crypto";
import { ChildFailurePolicy, JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { Violation } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import { durationOf } from "../../transport/result-codec.ts";
import type { JobDefinition } from "../define-job.ts";
import { describeIssues } from "../standard-schema.ts";

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
}

export interface SubmitOptions extends JobSubmitOptions {
  /** One submission per key; made up when absent. */
  readonly idempotencyKey?: string;
  /** For being accepted; with `run` also for the result. Default 10 s, `run` no limit. */
  readonly deadlineMs?: number;
  readonly traceparent?: string;
  readonly signal?: AbortSignal;
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
  const spec = await specOf(top, "job", nowMs(), violations);
  const [first] = violations;
  if (first === undefined) return { ...spec, idempotencyKey: idempotencyKey ?? randomUUID() };
  const others = violations.length - 1;
  const more = others === 0 ? "" : `, and ${others} more do not fit theirs`;
  throw refusal("INVALID_FIELD", `${first.description}${more}`, {
    metadata: { field: first.field, kind: top.definition.kind },
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
  const { runAt, delayMs, totalTimeoutMs } = options;
  return JobSpec.fromPartial({
    kind: definition.kind,
    queue: options.queue ?? definition.queue,
    // What was handed in, not what the schema made of it: the worker's own schema does that again.
    payload: Buffer.from(JSON.stringify(input) ?? "null", "utf8"),
    priority: options.priority ?? 0,
    runAt: runAt ?? (delayMs === undefined ? undefined : new Date(nowMs + delayMs)),
    totalTimeout: totalTimeoutMs === undefined ? undefined : durationOf(totalTimeoutMs),
    lockKeys: [...(options.lockKeys ?? [])],
    concurrencyKeys: [...(options.concurrencyKeys ?? [])],
    children,
    onChildFailure: POLICIES[options.onChildFailure ?? "fail-parent"],
  });
}

const POLICIES = {
  "fail-parent": ChildFailurePolicy.CHILD_FAILURE_POLICY_FAIL_PARENT,
  "run-parent": ChildFailurePolicy.CHILD_FAILURE_POLICY_RUN_PARENT,
} as const;
