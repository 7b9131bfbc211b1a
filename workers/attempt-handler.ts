// Runs the user's handler for one attempt: checks the payload, gives it its context, and ends when
// it settles or when it must not go on.
//
// Guarantees: the handler gets what the kind's schema made of the payload, and runs inside its
// span, so that spans of its own nest there. It always ends with a value. A handler that ignores
// its signal is left behind after a while: JavaScript cannot stop it, its lease runs out and its
// token fences what it still writes, but it no longer occupies the worker.
// Does not own: proposals (attempt-runner.ts).

import assert from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import type { Started } from "../protos/gen/node/v1/exchange.ts";
import { LOG_LINE_BYTES_MAX, PROGRESS_BYTES_MAX } from "../transport/limit.ts";
import { AttributeName, SpanName } from "../transport/telemetry/name.ts";
import {
  failSpan,
  runInSpan,
  type Span,
  SpanKind,
  startSpan,
  traceparentOf,
} from "../transport/telemetry/trace.ts";
import { AttemptAborted } from "./attempt-aborted.ts";
import type { AttemptContext, JobDefinition, JsonValue } from "./define-job.ts";
import {
  type AttemptEnd,
  deadlinePassed,
  handedBack,
  lockLost,
  payloadRefused,
  resultRefused,
  succeeded,
  threw,
  timedOut,
} from "./outcome.ts";
import type { AttemptReporter } from "./progress-reporter.ts";
import { isRelayed, SILENT } from "./relay.ts";
import { describeIssues } from "./standard-schema.ts";

export type HandlerEnd =
  | { readonly kind: "ended"; readonly end: AttemptEnd }
  /** Nothing to report: the ledger has ended this attempt, or will when its lease is over. */
  | { readonly kind: "left"; readonly why: AttemptAborted["why"] | "silent" };

type Settled = AttemptEnd | typeof SILENT;

export interface HandlerRun {
  readonly definition: JobDefinition;
  readonly started: Started;
  readonly context: Omit<AttemptContext, "progress" | "log" | "traceparent">;
  readonly reporter: Pick<AttemptReporter, "progress" | "log">;
  readonly parent: Span;
  /** How long an aborted handler may take to settle before it is left behind. */
  readonly settleMs: number;
}

export async function runHandler(run: HandlerRun): Promise<HandlerEnd> {
  const { kind, attempt, jobId } = run.context;
  const span = startSpan({
    name: `${SpanName.Handler} ${kind}`,
    kind: SpanKind.INTERNAL,
    parent: traceparentOf(run.parent),
    attributes: {
      [AttributeName.JobId]: jobId,
      [AttributeName.JobKind]: kind,
      [AttributeName.Attempt]: attempt,
      [AttributeName.FencingToken]: Number(run.context.fencingToken),
    },
  });
  try {
    const handlerEnd = await settleOrLeave(run, span);
    markSpan(span, handlerEnd);
    return handlerEnd;
  } finally {
    span.end();
  }
}

async function settleOrLeave(run: HandlerRun, span: Span): Promise<HandlerEnd> {
  const { signal, logger } = run.context;
  const settled = runInSpan(span, () => call(run, span));
  const aborted = untilAborted(signal);
  const first = await Promise.race([settled, aborted.promise]);
  aborted.forget();
  if (!(first instanceof AttemptAborted)) return atAbort(first, run);
  // Whoever has its locks next must not meet it still at work.
  const late = await Promise.race([settled, sleep(run.settleMs, null, { ref: false })]);
  if (late === null) {
    logger.warn({ why: first.why }, "the handler ignores its signal and is left behind");
  }
  // Its time is up whether it has settled or not; but a result that came just then is reported.
  if (first.why === "deadline") {
    const isResult = late !== null && late !== SILENT && late.outcome === "succeeded";
    return { kind: "ended", end: isResult ? late : deadlinePassed() };
  }
  if (first.why === "timed-out") {
    return { kind: "ended", end: timedOut(run.started.attemptTimeoutMs) };
  }
  if (late !== null) return atAbort(late, run);
  return first.why === "shutdown"
    ? { kind: "ended", end: handedBack(first) }
    : { kind: "left", why: first.why };
}

/**
 * What an end means when the attempt was aborted meanwhile. A result is always reported: the
 * ledger decides, and keeps a receipt if it comes too late. An error may be the abort's own doing.
 */
function atAbort(end: Settled, { started, context: { signal } }: HandlerRun): HandlerEnd {
  if (end === SILENT) return { kind: "left", why: "silent" };
  const reason: unknown = signal.aborted ? signal.reason : undefined;
  if (end.outcome === "succeeded" || !(reason instanceof AttemptAborted)) {
    return { kind: "ended", end };
  }
  switch (reason.why) {
    case "shutdown":
    case "lease-lapsed":
      return { kind: "ended", end: handedBack(reason) };
    case "timed-out":
      return { kind: "ended", end };
    case "deadline":
      return { kind: "ended", end: deadlinePassed() };
    case "lock-lost":
      return { kind: "ended", end: lockLost(reason.message) };
    case "cancelled":
      // The ledger keeps its locks until it hears that the handler has stopped.
      if (started.lockKeys.length > 0) return { kind: "ended", end: handedBack(reason) };
      return { kind: "left", why: reason.why };
    case "fenced":
      return { kind: "left", why: reason.why };
  }
}

async function call(run: HandlerRun, span: Span): Promise<Settled> {
  const { definition, started, context: given } = run;
  const traceparent = traceparentOf(span);
  if (isRelayed(definition)) {
    return definition.relay({ ...given, ...tellingOf(run, span), started, traceparent });
  }
  let payload: unknown;
  try {
    payload = started.payload.length === 0 ? null : JSON.parse(started.payload.toString("utf8"));
  } catch {
    return payloadRefused("the payload is not JSON");
  }
  try {
    const input = await definition.input["~standard"].validate(payload);
    if (input.issues !== undefined) return payloadRefused(describeIssues(input.issues));
    const { progress, log } = tellingOf(run, span);
    const output = await definition.run(input.value, { ...given, traceparent, progress, log });
    if (definition.output === null) return succeeded(output);
    const checked = await definition.output["~standard"].validate(output);
    if (checked.issues !== undefined) return resultRefused(checked.issues);
    return succeeded(checked.value);
  } catch (error) {
    return threw(error);
  }
}

/** What a handler can say while it runs. */
function tellingOf({ context, reporter }: HandlerRun, span: Span) {
  const { logger, signal } = context;
  const progressJson = (json: Uint8Array): void => {
    if (isSilenced(signal)) return;
    if (json.byteLength > PROGRESS_BYTES_MAX) {
      const size = `${json.byteLength} bytes, the limit is ${PROGRESS_BYTES_MAX}`;
      throw new RangeError(`progress is too large: ${size}`);
    }
    reporter.progress(json);
    span.addEvent("progress");
    logger.debug({ progress_bytes: json.byteLength }, "progress");
  };
  return {
    progressJson,
    progress(value: JsonValue): void {
      progressJson(Buffer.from(JSON.stringify(value) ?? "null", "utf8"));
    },
    log(line: string): void {
      if (!isSilenced(signal)) reporter.log(cutLine(String(line)));
    },
  };
}

/**
 * The ledger has said that the attempt is over. As long as it has not, it decides what is heard,
 * and keeps a receipt of what is not.
 */
function isSilenced(signal: AbortSignal): boolean {
  const reason: unknown = signal.aborted ? signal.reason : undefined;
  return (
    reason instanceof AttemptAborted && (reason.why === "cancelled" || reason.why === "fenced")
  );
}

/** At most as many bytes as a line may have, and no half of a character. */
function cutLine(line: string): string {
  // A lone surrogate becomes U+FFFD on the wire.
  const whole = line.toWellFormed();
  if (Buffer.byteLength(whole, "utf8") <= LOG_LINE_BYTES_MAX) return whole;
  const end = "…";
  const room = LOG_LINE_BYTES_MAX - Buffer.byteLength(end, "utf8");
  const bytes = Buffer.alloc(room);
  const length = bytes.write(whole, "utf8");
  return bytes.toString("utf8", 0, length) + end;
}

function untilAborted(signal: AbortSignal): {
  readonly promise: Promise<AttemptAborted>;
  forget(): void;
} {
  let listener = (): void => {};
  const promise = new Promise<AttemptAborted>((resolve) => {
    listener = () => {
      const reason: unknown = signal.reason;
      assert(reason instanceof AttemptAborted, "attempts are aborted with an AttemptAborted");
      resolve(reason);
    };
    if (signal.aborted) listener();
    else signal.addEventListener("abort", listener, { once: true });
  });
  return { promise, forget: () => signal.removeEventListener("abort", listener) };
}

function markSpan(span: Span, handlerEnd: HandlerEnd): void {
  if (handlerEnd.kind === "left") {
    failSpan(span, handlerEnd.why, "left behind");
    return;
  }
  const { outcome, error } = handlerEnd.end;
  span.setAttribute(AttributeName.AttemptOutcome, outcome);
  if (error !== null) failSpan(span, error.code, error.message);
}
