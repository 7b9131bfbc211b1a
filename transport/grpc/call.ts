// A service as plain functions: what the gateway implements and the client offers, without gRPC.
//
// Guarantees: the types follow the generated service definitions, so that a handler cannot answer
// with another method's message. A handler gets its request and a Call; whatever it throws becomes
// a status.
// Does not own: the wire (server.ts, client.ts).

import type { Attributes } from "../telemetry/trace.ts";

/** What a handler may know of the call that it answers. */
export interface Call {
  /** Such as quorumq.v1.JobService/SubmitJob. */
  readonly method: string;
  /** W3C traceparent of this call's SERVER span, or "". */
  readonly traceparent: string;
  /** Aborted when the caller has gone, or the server ends; its reason is a PipelineError. */
  readonly signal: AbortSignal;
  /** Aborted when the server begins to drain: for who waits for something that may take long. */
  readonly draining: AbortSignal;
  /** Until the caller's deadline; Infinity for a stream that has none. */
  remainingMs(): number;
  /** On the SERVER span. */
  annotate(attributes: Attributes): void;
}

export type UnaryHandler<I, O> = (request: I, call: Call) => Promise<O>;
export type ServerStreamHandler<I, O> = (request: I, call: Call) => AsyncIterable<O>;
export type BidiHandler<I, O> = (requests: AsyncIterable<I>, call: Call) => AsyncIterable<O>;

export type RequestOf<M> = M extends { requestDeserialize: (bytes: Buffer) => infer I } ? I : never;
export type ResponseOf<M> = M extends { responseDeserialize: (bytes: Buffer) => infer O }
  ? O
  : never;

export type HandlerOf<M> = M extends { requestStream: true }
  ? BidiHandler<RequestOf<M>, ResponseOf<M>>
  : M extends { responseStream: true }
    ? ServerStreamHandler<RequestOf<M>, ResponseOf<M>>
    : UnaryHandler<RequestOf<M>, ResponseOf<M>>;

/** Methods left out answer UNIMPLEMENTED. */
export type Handlers<Definition> = {
  readonly [Method in keyof Definition]?: HandlerOf<Definition[Method]>;
};
