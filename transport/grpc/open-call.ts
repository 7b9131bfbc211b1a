// One call on the server, from its arrival to its status: deadline, cancellation, SERVER span.
//
// Guarantees: the span is a child of the caller's traceparent or the root of a new trace, and ends
// with the call; its id goes back as x-trace-id. A call that arrives too late is refused before
// anything is done for it. Every throw leaves as one PipelineError, and only our own faults are
// logged.
// Does not own: how messages come and go (serve.ts).

import { Metadata } from "@grpc/grpc-js";
import { CALL_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_MAX } from "../limit.ts";
import { Code, PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import type { Logger } from "../telemetry/logger.ts";
import { AttributeName } from "../telemetry/name.ts";
import {
  type Attributes,
  failSpan,
  type Span,
  SpanKind,
  startRootSpan,
  startSpan,
  traceIdOf,
  traceparentOf,
} from "../telemetry/trace.ts";
import type { Call } from "./call.ts";
import { type GrpcStatus, toStatus } from "./status.ts";

/** The part of grpc-js's call objects that every kind of call has. */
export interface ServerCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getPath(): string;
  getDeadline(): Date | number;
  on(event: "cancelled", listener: () => void): unknown;
}

/** What the server shares among its calls. */
export interface ServerLife {
  readonly logger: Logger;
  readonly open: Set<OpenCall>;
  readonly draining: AbortSignal;
}

/** Less is not enough for another try. */
const RETRY_MS_MIN = 500;

/** Statuses that are the server's failure, after the RPC semantic conventions. */
const SERVER_FAULTS: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

export class OpenCall implements Call {
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

  constructor(call: ServerCall, isStream: boolean, life: ServerLife) {
    this.#life = life;
    this.method = call.getPath().replace(/^\//, "");
    this.signal = this.#abort.signal;
    this.draining = life.draining;
    this.#deadlineMs = performance.now() + timeoutMs(call.getDeadline(), isStream);
    this.#span = startServerSpan(this.method, call.metadata);
    this.traceparent = traceparentOf(this.#span);
    call.on("cancelled", () => {
      // grpc-js says so of answered calls, too.
      if (this.#isEnded) return;
      this.abort(refusal("CALL_CANCELLED", "the caller went away before the answer"));
    });
    life.open.add(this);
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

  /** Throws if the caller cannot be waiting any more. */
  requireTime(): void {
    if (this.remainingMs() > 0) return;
    throw refusal(
      "DEADLINE_EXPIRED",
      `the deadline of ${this.method} had passed on arrival: nothing was done`,
      { metadata: { method: this.method } },
    );
  }

  /** Ends the call as answered. Returns the trailing metadata. */
  succeed(): Metadata {
    this.#end("OK");
    return this.#trailer();
  }

  /** Ends the call as failed. Returns what the caller is told. */
  fail(thrown: unknown): GrpcStatus {
    // After an abort, whatever a library threw because of it stands for the abort's reason.
    const isConsequence = this.signal.aborted && !(thrown instanceof PipelineError);
    const error = PipelineError.from(isConsequence ? this.signal.reason : thrown);
    if (error.code === Code.Internal) {
      this.#life.logger.error(
        { err: error.cause ?? error, method: this.method, trace_id: traceIdOf(this.traceparent) },
        "a call failed for a reason of our own",
      );
    }
    if (SERVER_FAULTS.has(error.code)) failSpan(this.#span, error.reason, error.rawMessage);
    this.#end(error.code);
    const trailer = this.#trailer();
    trailer.set("grpc-retry-pushback-ms", String(this.#pushbackMs(error)));
    return toStatus(error, trailer);
  }

  /**
   * Tells the caller's gRPC library when to try again by itself, or with -1 that it must not: since
   * something may have happened, or since a try without time would only hide this answer behind
   * DEADLINE_EXCEEDED (gRFC A6).
   */
  #pushbackMs({ retry, retryDelayMs }: PipelineError): number {
    if (retry !== "safe" || retryDelayMs === undefined) return -1;
    return this.remainingMs() > retryDelayMs + RETRY_MS_MIN ? retryDelayMs : -1;
  }

  #end(code: Code | "OK"): void {
    this.#isEnded = true;
    this.#life.open.delete(this);
    this.#span.setAttribute(AttributeName.RpcStatusCode, code);
    this.#span.end();
  }

  #trailer(): Metadata {
    const trailer = new Metadata();
    const traceId = traceIdOf(this.traceparent);
    if (traceId !== "") trailer.set("x-trace-id", traceId);
    return trailer;
  }
}

/** The caller's own deadline; without one the default, for a stream none. */
function timeoutMs(deadline: Date | number, isStream: boolean): number {
  const remainingMs = Number(deadline) - Date.now();
  if (isStream) return remainingMs;
  if (remainingMs === Number.POSITIVE_INFINITY) return CALL_TIMEOUT_MS_DEFAULT;
  return Math.min(remainingMs, CALL_TIMEOUT_MS_MAX);
}

function startServerSpan(method: string, metadata: Metadata): Span {
  const start = {
    name: method,
    kind: SpanKind.SERVER,
    attributes: { [AttributeName.RpcSystem]: "grpc", [AttributeName.RpcMethod]: method },
  };
  const parent = String(metadata.get("traceparent")[0] ?? "");
  return traceIdOf(parent) === "" ? startRootSpan(start) : startSpan({ ...start, parent });
}
