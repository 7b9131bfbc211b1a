// A generated service definition as typed promises and async iterables.
//
// Guarantees: every call has a deadline unless its stream is meant to have none; every failure is
// a PipelineError; an aborted signal cancels the call on the wire. A stream of answers that is left
// early is cancelled too.
// Does not own: the channel and its options (client.ts).

import type { Client, ClientReadableStream, MethodDefinition } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { CALL_TIMEOUT_MS_DEFAULT } from "../limit.ts";
import { PipelineError } from "../pipeline-error.ts";
import type { RequestOf, ResponseOf } from "./call.ts";
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

export function methodClients<Definition extends Readonly<Record<string, object>>>(
  client: Client,
  definition: Definition,
): MethodsOf<Definition> {
  const methods = Object.entries(definition).map(([name, entry]) => {
    const method = entry as Method;
    if (method.requestStream) return [name, bidi(client, method)];
    return [name, method.responseStream ? serverStream(client, method) : unary(client, method)];
  });
  // The definition says which of the three each is, as MethodsOf does.
  return Object.fromEntries(methods) as MethodsOf<Definition>;
}

function unary(client: Client, method: Method): Unary<unknown, unknown> {
  return (request, options = {}) =>
    new Promise((resolve, reject) => {
      const { metadata, deadline } = callOptions(options, CALL_TIMEOUT_MS_DEFAULT);
      const call = client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
        { deadline },
        (error, response) => {
          forget();
          if (error === null) resolve(response);
          else reject(fromStatus(error));
        },
      );
      const forget = onAbort(options.signal, () => call.cancel());
    });
}

function serverStream(client: Client, method: Method): ServerStream<unknown, unknown> {
  return (request, options = {}) => {
    const { metadata, deadline } = callOptions(options, Number.POSITIVE_INFINITY);
    const stream = client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline },
    );
    return answersOf(stream, options.signal);
  };
}

function bidi(client: Client, method: Method): Bidi<unknown, unknown> {
  return (requests, options = {}) => {
    const { metadata, deadline } = callOptions(options, Number.POSITIVE_INFINITY);
    const stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      metadata,
      { deadline },
    );
    const ended = new AbortController();
    stream.once("status", () => ended.abort());
    const answers = answersOf(stream, options.signal);
    void send(requests, stream, ended.signal).catch((thrown: unknown) => {
      // What the caller's own iterable threw is what its reader is told.
      stream.cancel();
      stream.destroy(PipelineError.from(thrown));
    });
    return answers;
  };
}

interface Outgoing {
  write(message: unknown): boolean;
  end(): unknown;
  once(event: "drain", listener: () => void): unknown;
}

async function send(
  requests: AsyncIterable<unknown>,
  stream: Outgoing,
  ended: AbortSignal,
): Promise<void> {
  for await (const request of requests) {
    if (ended.aborted) return;
    if (stream.write(request)) continue;
    await new Promise<void>((resolve) => {
      stream.once("drain", resolve);
      ended.addEventListener("abort", () => resolve(), { once: true });
    });
  }
  if (!ended.aborted) stream.end();
}

/** Listens at once: a failure that comes before the first read must not look like an end. */
function answersOf(
  stream: ClientReadableStream<unknown>,
  signal: AbortSignal | undefined,
): AsyncIterable<unknown> {
  const failures: unknown[] = [];
  stream.on("error", (failure: unknown) => failures.push(failure));
  const forget = onAbort(signal, () => stream.cancel());
  return answersUntil(stream, failures, forget);
}

async function* answersUntil(
  stream: ClientReadableStream<unknown>,
  failures: readonly unknown[],
  forget: () => void,
): AsyncGenerator<unknown> {
  try {
    yield* stream.iterator({ destroyOnReturn: false });
    if (failures.length > 0) throw failures[0];
  } catch (thrown) {
    throw isGrpcFailure(thrown) ? fromStatus(thrown) : PipelineError.from(thrown);
  } finally {
    forget();
    stream.cancel();
  }
}

function callOptions(
  { timeoutMs, traceparent }: ClientCallOptions,
  timeoutMsDefault: number,
): { metadata: Metadata; deadline: number } {
  const metadata = new Metadata();
  if (traceparent !== undefined && traceparent !== "") metadata.set("traceparent", traceparent);
  return { metadata, deadline: Date.now() + (timeoutMs ?? timeoutMsDefault) };
}

function onAbort(signal: AbortSignal | undefined, then: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) then();
  else signal.addEventListener("abort", then, { once: true });
  return () => signal.removeEventListener("abort", then);
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
