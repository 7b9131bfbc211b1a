// Plain handlers put on a grpc-js server: messages in, messages out, one status.
//
// Guarantees: a request that does not decode, or whose text is not UTF-8, is the caller's fault
// (INVALID_ARGUMENT), not ours. A stream is written no faster than the peer reads, and read no
// faster than the handler asks.
// Methods without a handler answer UNIMPLEMENTED with an ErrorInfo.
// Does not own: what a call is (open-call.ts) nor how errors look (status.ts).

import { once } from "node:events";
import type {
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import type { ServerLife } from "../served-call.ts";
import { decodeStrictly } from "../strict-decode.ts";
import type { BidiHandler, Handlers, ServerStreamHandler, UnaryHandler } from "./call.ts";
import { OpenCall } from "./open-call.ts";

/** Stands for a request that could not be decoded. */
class Undecodable {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

type Method = MethodDefinition<unknown, unknown>;

/** Adds the service; `handlers` may leave methods out. */
export function serve<Definition extends Readonly<Record<string, object>>>(
  server: Server,
  definition: Definition,
  handlers: Handlers<Definition>,
  life: ServerLife,
): void {
  const methods: Record<string, Method> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [name, entry] of Object.entries(definition)) {
    const method = entry as Method;
    methods[name] = { ...method, requestDeserialize: decoderOf(method) };
    implementation[name] = callHandler(method, handlers[name] ?? unimplemented, life);
  }
  server.addService(methods, implementation);
}

function callHandler(method: Method, handler: unknown, life: ServerLife): UntypedHandleCall {
  // The definition says which of the three it is; `Handlers` made sure that the handler agrees.
  if (method.requestStream) return bidi(handler as BidiHandler<unknown, unknown>, life);
  if (method.responseStream) {
    return serverStream(handler as ServerStreamHandler<unknown, unknown>, life);
  }
  return unary(handler as UnaryHandler<unknown, unknown>, life);
}

function unary(handler: UnaryHandler<unknown, unknown>, life: ServerLife) {
  return (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): void => {
    const open = new OpenCall(call, false, life);
    const answer = async (): Promise<unknown> => {
      open.requireTime();
      return await handler(decoded(call.request), open);
    };
    answer().then(
      (response) => callback(null, response, open.succeed()),
      (thrown: unknown) => callback(open.fail(thrown)),
    );
  };
}

function serverStream(handler: ServerStreamHandler<unknown, unknown>, life: ServerLife) {
  return (stream: ServerWritableStream<unknown, unknown>): void => {
    const open = new OpenCall(stream, true, life);
    void pump(stream, open, () => handler(decoded(stream.request), open));
  };
}

function bidi(handler: BidiHandler<unknown, unknown>, life: ServerLife) {
  return (stream: ServerDuplexStream<unknown, unknown>): void => {
    const open = new OpenCall(stream, true, life);
    void pump(stream, open, () => handler(requestsOf(stream), open));
  };
}

/**
 * Not the stream's own iterator: its end would destroy the duplex stream, and with it the answers
 * that are still to be written.
 */
async function* requestsOf(stream: ServerDuplexStream<unknown, unknown>): AsyncGenerator<unknown> {
  for await (const request of stream.iterator({ destroyOnReturn: false })) yield decoded(request);
}

type Outgoing = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

/** Never rejects: the outcome is the call's status. */
async function pump(
  stream: Outgoing,
  open: OpenCall,
  respond: () => AsyncIterable<unknown>,
): Promise<void> {
  try {
    open.requireTime();
    for await (const response of respond()) {
      open.signal.throwIfAborted();
      // grpc-js never calls back for a message of a cancelled call, hence the signal.
      if (!stream.write(response)) await once(stream, "drain", { signal: open.signal });
    }
    open.signal.throwIfAborted();
    stream.end(open.succeed());
  } catch (thrown) {
    // grpc-js sends an error event's code, details and metadata as the status, then ends.
    stream.emit("error", open.fail(thrown));
  }
}

function decoderOf(method: Method): (bytes: Buffer) => unknown {
  return (bytes) => {
    try {
      return decodeStrictly(method, bytes);
    } catch (cause) {
      // Thrown from here, grpc-js would answer INTERNAL.
      return new Undecodable(cause);
    }
  };
}

function decoded(request: unknown): unknown {
  if (!(request instanceof Undecodable)) return request;
  if (request.cause instanceof PipelineError) throw request.cause;
  throw refusal("MALFORMED_REQUEST", "the request is not the message that this method takes", {
    cause: request.cause,
  });
}

function unimplemented(_request: unknown, call: OpenCall): never {
  throw refusal("METHOD_NOT_IMPLEMENTED", `${call.method} is not implemented by this version`, {
    metadata: { method: call.method },
  });
}
