// A generated service definition as typed promises and async iterables.
//
// Guarantees: every call has a deadline unless its stream is meant to have none; every failure is
// a PipelineError, also that of a request or a time that nothing can be sent with; an aborted
// signal cancels the call on the wire, and so does the end of the connection. A stream of answers
// that is left early is cancelled too. Nothing of a call is left when it has ended.
// Does not own: the channel and its options (client.ts).

import type { Client, ClientReadableStream, MethodDefinition } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { CALL_TIMEOUT_MS_DEFAULT } from "../limit.ts";
import { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import { traceIdOf } from "../telemetry/trace.ts";
import type { RequestOf, ResponseOf } from "./call.ts";
import { type ClientLife, clientClosed } from "./client-life.ts";
import { fromStatus, type GrpcFailure } from "./status.ts";

export interface ClientCallOptions {
  /** Default 10 s for one answer, none for a stream. */
  readonly timeoutMs?: number;
  /** W3C traceparent of the caller's span. */
  readonly traceparent?: string;
  readonly signal?: AbortSignal;
}

type Unary<I, O> = (request: I, options?: ClientCallOptions) => Promise<O>;
type ServerStream<I, O> = (request: I, options?: ClientCallOptions) => AsyncIterable<O>;
type Bidi<I, O> = (requests: AsyncIterable<I>, options?: ClientCallOptions) => AsyncIterable<O>;

export type MethodsOf<Definition> = {
  readonly [Method in keyof Definition]: Definition[Method] extends { requestStream: true }
    ? Bidi<RequestOf<Definition[Method]>, ResponseOf<Definition[Method]>>
    : Definition[Method] extends { responseStream: true }
      ? ServerStream<RequestOf<Definition[Method]>, ResponseOf<Definition[Method]>>
      : Unary<RequestOf<Definition[Method]>, ResponseOf<Definition[Method]>>;
};

type Method = MethodDefinition<unknown, unknown>;

interface Channel {
  readonly client: Client;
  readonly life: ClientLife;
}

/** gRPC has no number for a longer deadline (30 years): it means none. */
const TIMEOUT_MS_MAX = 1e12;

export function methodClients<Definition extends Readonly<Record<string, object>>>(
  client: Client,
  definition: Definition,
  life: ClientLife,
): MethodsOf<Definition> {
  const channel = { client, life };
  const methods = Object.entries(definition).map(([name, entry]) => {
    const method = entry as Method;
    if (method.requestStream) return [name, bidi(channel, method)];
    return [name, method.responseStream ? serverStream(channel, method) : unary(channel, method)];
  });
  // The definition says which of the three each is, as MethodsOf does.
  return Object.fromEntries(methods) as MethodsOf<Definition>;
}

function unary({ client, life }: Channel, method: Method): Unary<unknown, unknown> {
  return (request, options = {}) =>
    new Promise((resolve, reject) => {
      const { metadata, deadline } = callOptions(life, options, CALL_TIMEOUT_MS_DEFAULT);
      const call = client.makeUnaryRequest(
        method.path,
        sent,
        method.responseDeserialize,
        bytesOf(method, request),
        metadata,
        { deadline },
        (error, response) => {
          forget();
          if (error === null) resolve(response);
          else reject(failureOf(error, life));
        },
      );
      const forget = untilEnded(life, options.signal, () => call.cancel());
    });
}

function serverStream({ client, life }: Channel, method: Method): ServerStream<unknown, unknown> {
  return (request, options = {}) => {
    const { metadata, deadline } = callOptions(life, options, Number.POSITIVE_INFINITY);
    const stream = client.makeServerStreamRequest(
      method.path,
      sent,
      method.responseDeserialize,
      bytesOf(method, request),
      metadata,
      { deadline },
    );
    return answersOf(stream, life, options.signal);
  };
}

function bidi({ client, life }: Channel, method: Method): Bidi<unknown, unknown> {
  return (requests, options = {}) => {
    const { metadata, deadline } = callOptions(life, options, Number.POSITIVE_INFINITY);
    const stream = client.makeBidiStreamRequest(
      method.path,
      sent,
      method.responseDeserialize,
      metadata,
      { deadline },
    );
    const ended = new AbortController();
    stream.once("status", () => ended.abort());
    const answers = answersOf(stream, life, options.signal);
    void send(requests, method, stream, ended.signal).catch((thrown: unknown) => {
      // What the caller's own iterable threw is what its reader is told.
      stream.cancel();
      stream.destroy(PipelineError.from(thrown));
    });
    return answers;
  };
}

/**
 * Made here, since gRPC tells of a value that does not fit its field (a priority of 1.5, an invalid
 * Date) as a fault of the server's.
 */
function bytesOf(method: Method, request: unknown): Buffer {
  try {
    return method.requestSerialize(request);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw refusal("MALFORMED_REQUEST", `a value does not fit its field: ${why}`, { cause });
  }
}

function sent(bytes: Buffer): Buffer {
  return bytes;
}

interface Outgoing {
  write(message: Buffer): boolean;
  end(): unknown;
  on(event: "drain", listener: () => void): unknown;
  off(event: "drain", listener: () => void): unknown;
}

async function send(
  requests: AsyncIterable<unknown>,
  method: Method,
  stream: Outgoing,
  ended: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (ended.aborted) return;
    if (!stream.write(bytesOf(method, request))) await writable(stream, ended);
  }
  if (!ended.aborted) stream.end();
}

/** Leaves no listener behind: a stream may wait a million times. */
function writable(stream: Outgoing, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off("drain", go);
      ended.removeEventListener("abort", go);
      resolve();
    };
    stream.on("drain", go);
    if (ended.aborted) go();
    else ended.addEventListener("abort", go);
  });
}

/** Listens at once: a failure that comes before the first read must not look like an end. */
function answersOf(
  stream: ClientReadableStream<unknown>,
  life: ClientLife,
  signal: AbortSignal | undefined,
): AsyncIterable<unknown> {
  const failures: unknown[] = [];
  stream.on("error", (failure: unknown) => failures.push(failure));
  const forget = untilEnded(life, signal, () => stream.cancel());
  // Also when nobody reads the answers to their end.
  stream.once("status", forget);
  return answersUntil(stream, failures, life, forget);
}

async function* answersUntil(
  stream: ClientReadableStream<unknown>,
  failures: readonly unknown[],
  life: ClientLife,
  forget: () => void,
): AsyncGenerator<unknown> {
  try {
    yield* stream.iterator({ destroyOnReturn: false });
    if (failures.length > 0) throw failures[0];
  } catch (thrown) {
    throw isGrpcFailure(thrown) ? failureOf(thrown, life) : PipelineError.from(thrown);
  } finally {
    forget();
    stream.cancel();
  }
}

function callOptions(
  life: ClientLife,
  { timeoutMs: givenMs, traceparent }: ClientCallOptions,
  timeoutMsDefault: number,
): { metadata: Metadata; deadline: number } {
  if (life.isClosed) throw clientClosed();
  const timeoutMs = givenMs ?? timeoutMsDefault;
  if (Number.isNaN(timeoutMs)) {
    const description = "is not a time, got NaN; allowed: a number of milliseconds";
    throw refusal("INVALID_FIELD", `timeoutMs ${description}`, {
      metadata: { field: "timeoutMs", value: "NaN" },
      violations: [{ field: "timeoutMs", description }],
    });
  }
  const metadata = new Metadata();
  // What is no traceparent is of no use to anybody, and may be no header either.
  if (traceparent !== undefined && traceIdOf(traceparent) !== "") {
    metadata.set("traceparent", traceparent);
  }
  const isEndless = timeoutMs > TIMEOUT_MS_MAX;
  return { metadata, deadline: isEndless ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs };
}

/** Cancels with the signal, and with the connection. Returns the function that says: it ended. */
function untilEnded(
  life: ClientLife,
  signal: AbortSignal | undefined,
  cancel: () => void,
): () => void {
  const closed = life.opened(cancel);
  if (signal?.aborted === true) cancel();
  else signal?.addEventListener("abort", cancel, { once: true });
  return () => {
    closed();
    signal?.removeEventListener("abort", cancel);
  };
}

function failureOf(failure: GrpcFailure, { isClosed }: ClientLife): PipelineError {
  return isClosed ? clientClosed() : fromStatus(failure);
}

function isGrpcFailure(thrown: unknown): thrown is GrpcFailure {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "number" &&
    "details" in thrown &&
    typeof thrown.details === "string"
  );
}
