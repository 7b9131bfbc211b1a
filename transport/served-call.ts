// One call on a server, from its arrival to its answer, whatever the protocol: deadline,
// cancellation, SERVER span.
//
// Guarantees: the span is a child of the caller's traceparent or the root of a new trace, and ends
// with the call. A call that arrives too late is refused before anything is done for it. Every
// throw leaves as one PipelineError, and only our own faults are logged.
// Does not own: how messages and statuses look (grpc/, http/).

import { setTimeout as delay } from "node:timers/promises";
import type { Call } from "./grpc/call.ts";
import { CALL_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_MAX } from "./limit.ts";
import { Code, PipelineError } from "./pipeline-error.ts";
import { refusal } from "./reason.ts";
import type { Logger } from "./telemetry/logger.ts";
import { AttributeName } from "./telemetry/name.ts";
import {
  type Attributes,
  failSpan,
  type Span,
  SpanKind,
  startRootSpan,
  startSpan,
  traceIdOf,
  traceparentOf,
} from "./telemetry/trace.ts";

/** What the server shares among its calls. */
export interface ServerLife {
  readonly logger: Logger;
  readonly open: Set<ServedCall>;
  readonly draining: AbortSignal;
}

export interface CallStart {
  /** Such as quorumq.v1.JobService/SubmitJob. */
  readonly method: string;
  readonly spanName: string;
  readonly attributes: Attributes;
  /** The caller's, or "". */
  readonly traceparent: string;
  /** From now; Infinity: none. */
  readonly timeoutMs: number;
}

/** Statuses that are the server's failure, after the RPC semantic conventions. */
const SERVER_FAULTS: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

export class ServedCall implements Call {
  readonly method: string;
  readonly traceparent: string;
  readonly signal: AbortSignal;
  readonly draining: AbortSignal;
  readonly #life: ServerLife;
  readonly #span: Span;
  readonly #abort = new AbortController();
  /** On the monotonic clock. */
  readonly #deadlineMs: number;
  #isEnded = false;

  constructor(start: CallStart, life: ServerLife) {
    this.#life = life;
    this.method = start.method;
    this.signal = this.#abort.signal;
    this.draining = life.draining;
    this.#deadlineMs = performance.now() + start.timeoutMs;
    this.#span = startServerSpan(start);
    this.traceparent = traceparentOf(this.#span);
    life.open.add(this);
  }

  /** "" if nobody traces it. */
  get traceId(): string {
    return traceIdOf(this.traceparent);
  }

  remainingMs(): number {
    return Math.max(0, this.#deadlineMs - performance.now());
  }

  annotate(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  abort(reason: PipelineError): void {
    if (!this.#isEnded) this.#abort.abort(reason);
  }

  /** For the protocols, which tell so of answered calls, too. */
  callerGone(): void {
    this.abort(refusal("CALL_CANCELLED", "the caller went away before the answer"));
  }

  /** Throws if the caller cannot be waiting any more. */
  requireTime(): void {
    if (this.remainingMs() > 0) return;
    throw refusal(
      "DEADLINE_EXPIRED",
      `the deadline of ${this.method} had passed on arrival: nothing was done`,
      { metadata: { method: this.method } },
    );
  }

  /** Ends the call as answered. */
  endOk(): void {
    this.#end("OK");
  }

  /** Ends the call as failed. Returns what the caller is told. `more` goes on the span. */
  endFailed(thrown: unknown, more?: (error: PipelineError) => Attributes): PipelineError {
    // After an abort, whatever a library threw because of it stands for the abort's reason.
    const isConsequence = this.signal.aborted && !(thrown instanceof PipelineError);
    const error = PipelineError.from(isConsequence ? this.signal.reason : thrown);
    if (error.code === Code.Internal) {
      this.#life.logger.error(
        { err: error.cause ?? error, method: this.method, trace_id: this.traceId },
        "a call failed for a reason of our own",
      );
    }
    if (more !== undefined) this.annotate(more(error));
    if (SERVER_FAULTS.has(error.code)) failSpan(this.#span, error.reason, error.rawMessage);
    this.#end(error.code);
    return error;
  }

  #end(code: Code | "OK"): void {
    this.#isEnded = true;
    this.#life.open.delete(this);
    this.#span.setAttribute(AttributeName.RpcStatusCode, code);
    this.#span.end();
  }
}

/** A unary call's time: what the caller gave, within bounds; Infinity: nothing was given. */
export function unaryTimeoutMs(givenMs: number): number {
  if (givenMs === Number.POSITIVE_INFINITY) return CALL_TIMEOUT_MS_DEFAULT;
  return Math.min(givenMs, CALL_TIMEOUT_MS_MAX);
}

function startServerSpan({ spanName, attributes, traceparent }: CallStart): Span {
  const start = { name: spanName, kind: SpanKind.SERVER, attributes };
  const isTraced = traceIdOf(traceparent) !== "";
  return isTraced ? startSpan({ ...start, parent: traceparent }) : startRootSpan(start);
}

/** Resolves when no call is open any more, or when the time is over. */
export async function allEnded(open: ReadonlySet<ServedCall>, timeoutMs: number): Promise<void> {
  const pollMs = 20;
  const endMs = performance.now() + timeoutMs;
  while (open.size > 0 && performance.now() < endMs) await delay(pollMs);
}
