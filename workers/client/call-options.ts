// What a caller may say of any call of the public client, and how the wire's client takes it.
//
// Guarantees: every call has a time; what a caller does not say has the default of all calls.

import type { ClientCallOptions } from "../../transport/grpc/client.ts";

export interface CallOptions {
  /** Milliseconds from now. Default 10 s. After them the call fails with DEADLINE_EXCEEDED. */
  readonly deadlineMs?: number;
  /** Aborted, the call ends at once with CALL_CANCELLED; what it began may still come about. */
  readonly signal?: AbortSignal;
  /** W3C trace context that the call belongs to. */
  readonly traceparent?: string;
}

export function callOptions({ deadlineMs, signal, traceparent }: CallOptions): ClientCallOptions {
  return {
    ...(deadlineMs === undefined ? {} : { timeoutMs: deadlineMs }),
    ...(signal === undefined ? {} : { signal }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
