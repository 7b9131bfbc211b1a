// One gRPC call on the server: what grpc-js says of it, and what its trailers tell the caller.
//
// Guarantees: the trace id goes back as x-trace-id; the caller's library is told when it may try
// again by itself, and when it must not.
// Does not own: deadline, cancellation and span (../served-call.ts), messages (serve.ts).

import { Metadata } from "@grpc/grpc-js";
import type { PipelineError } from "../pipeline-error.ts";
import { ServedCall, type ServerLife, unaryTimeoutMs } from "../served-call.ts";
import { AttributeName } from "../telemetry/name.ts";
import { type GrpcStatus, toStatus } from "./status.ts";

/** The part of grpc-js's call objects that every kind of call has. */
export interface ServerCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getPath(): string;
  getDeadline(): Date | number;
  on(event: "cancelled", listener: () => void): unknown;
}

/** Less is not enough for another try. */
const RETRY_MS_MIN = 500;

export class OpenCall extends ServedCall {
  constructor(call: ServerCall, isStream: boolean, life: ServerLife) {
    const method = call.getPath().replace(/^\//, "");
    super(
      {
        method,
        spanName: method,
        attributes: { [AttributeName.RpcSystem]: "grpc", [AttributeName.RpcMethod]: method },
        traceparent: String(call.metadata.get("traceparent")[0] ?? ""),
        timeoutMs: timeoutMs(call.getDeadline(), isStream),
      },
      life,
    );
    call.on("cancelled", () => this.callerGone());
  }

  /** Ends the call as answered. Returns the trailing metadata. */
  succeed(): Metadata {
    this.endOk();
    return this.#trailer();
  }

  /** Ends the call as failed. Returns what the caller is told. */
  fail(thrown: unknown): GrpcStatus {
    const error = this.endFailed(thrown);
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

  #trailer(): Metadata {
    const trailer = new Metadata();
    if (this.traceId !== "") trailer.set("x-trace-id", this.traceId);
    return trailer;
  }
}

/** The caller's own deadline; without one the default, for a stream none. */
function timeoutMs(deadline: Date | number, isStream: boolean): number {
  const remainingMs = Number(deadline) - Date.now();
  return isStream ? remainingMs : unaryTimeoutMs(remainingMs);
}
