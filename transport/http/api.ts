// The HTTP API: every routed method of the services, called by the very handlers that gRPC calls.
//
// Guarantees: a request becomes the same message that the method gets over gRPC, and its answer is
// the same message, as JSON. Each call has a deadline, ends with the caller, and has one SERVER
// span. Whatever is thrown leaves as one error body.
// Does not own: the sockets (server.ts), the table (route-table.ts).

import type { DescMethod } from "@bufbuild/protobuf";
import type { ServerStreamHandler, UnaryHandler } from "../grpc/call.ts";
import { PipelineError } from "../pipeline-error.ts";
import { refusal } from "../reason.ts";
import { ServedCall, type ServerLife, unaryTimeoutMs } from "../served-call.ts";
import { decodeStrictly } from "../strict-decode.ts";
import { AttributeName } from "../telemetry/name.ts";
import { methodDescriptor } from "./api-schema.ts";
import { errorAnswer, errorBody, httpStatusOf } from "./error-answer.ts";
import { eventTexts, type ServerSentEvent, within } from "./event-stream.ts";
import { type HttpAnswer, type HttpRequest, jsonAnswer } from "./exchange.ts";
import { bodyText } from "./request-body.ts";
import { type RequestHeaders, readHeaders } from "./request-header.ts";
import { requestMessage } from "./request-message.ts";
import { responseText } from "./response-writer.ts";
import { type Route, Routes } from "./route.ts";
import { ROUTES } from "./route-table.ts";

/** A service as gRPC has it: its definition, and handlers for what this version implements. */
export interface HttpService {
  readonly definition: Readonly<Record<string, object>>;
  readonly handlers: Readonly<Record<string, unknown>>;
}

/** The part of a generated method definition that is of use here. */
interface Method {
  readonly path: string;
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(response: unknown): Buffer;
}

interface Bound {
  readonly descriptor: DescMethod;
  readonly method: Method;
  readonly handler: unknown;
}

/** Before the headers of a stream are sent: so long may its first answer decide the status. */
const FIRST_EVENT_MS = 1_000;

export class HttpApi {
  readonly #routes = new Routes(ROUTES);
  readonly #bound = new Map<string, Bound>();
  readonly #life: ServerLife;

  constructor(services: readonly HttpService[], life: ServerLife) {
    this.#life = life;
    for (const { definition, handlers } of services) {
      for (const [name, entry] of Object.entries(definition)) {
        const method = entry as Method;
        const path = method.path.slice(1);
        const descriptor = methodDescriptor(path);
        if (descriptor === null) throw new Error(`the protos have no ${path}`);
        this.#bound.set(path, { descriptor, method, handler: handlers[name] ?? unimplemented });
      }
    }
  }

  /** Never rejects. */
  async answer(request: HttpRequest): Promise<HttpAnswer> {
    const { verb, path, query } = request;
    const match = this.#routes.match(verb, path);
    if (match.kind === "unknown") return errorAnswer(pathUnknown(verb, path));
    if (match.kind === "other-verb") {
      const allow = match.allowed.join(", ");
      return errorAnswer(verbNotAllowed(verb, path, allow), { allow });
    }
    if (verb === "HEAD" && match.route.events !== undefined) {
      // The headers of a stream are those of its first answer, and nobody would read that.
      return errorAnswer(verbNotAllowed(verb, path, "GET"), { allow: "GET" });
    }
    const headers = readHeaders(request.headers, query);
    const route = headers.isWaiting ? this.#waiting(match.route) : match.route;
    const call = openCall(route, headers, this.#life);
    request.onGone(() => call.callerGone());
    try {
      call.requireTime();
      const bound = this.#bound.get(route.method);
      if (bound === undefined) return unimplemented(undefined, call);
      const body = await bodyText(request, call);
      const parts = { route, path: match.parts, query, headers, body };
      const message = requestOf(bound, requestMessage(bound.descriptor, parts));
      if (route.events === undefined) return await unary(bound, route, message, call);
      return await stream(bound, route, message, call);
    } catch (thrown) {
      return failed(call, thrown);
    }
  }

  #waiting(route: Route): Route {
    const { waiting, path } = route;
    const row = waiting === undefined ? undefined : ROUTES[waiting];
    if (row === undefined || waiting === undefined) return route;
    return { ...row, path, method: waiting, waiting };
  }
}

function openCall(route: Route, headers: RequestHeaders, life: ServerLife): ServedCall {
  const { verb, path, method, events } = route;
  const { timeoutMs, traceparent } = headers;
  return new ServedCall(
    {
      method,
      spanName: `${verb} ${path}`,
      attributes: {
        [AttributeName.HttpVerb]: verb,
        [AttributeName.HttpRoute]: path,
        [AttributeName.RpcMethod]: method,
      },
      traceparent,
      timeoutMs: events === undefined ? unaryTimeoutMs(timeoutMs) : timeoutMs,
    },
    life,
  );
}

function requestOf({ method }: Bound, bytes: Uint8Array): unknown {
  try {
    return decodeStrictly(method, bytes);
  } catch (cause) {
    if (cause instanceof PipelineError) throw cause;
    // A number that JavaScript cannot count to.
    throw refusal("MALFORMED_REQUEST", "the request holds a number over 2^53", { cause });
  }
}

async function unary(
  bound: Bound,
  route: Route,
  message: unknown,
  call: ServedCall,
): Promise<HttpAnswer> {
  const handler = bound.handler as UnaryHandler<unknown, unknown>;
  const text = answerText(bound, route, await handler(message, call));
  succeed(call, 200);
  return jsonAnswer(text, 200, ids(call));
}

/** The first answer decides: a failure has a status of its own, and nothing to tell is 204. */
async function stream(
  bound: Bound,
  route: Route,
  message: unknown,
  call: ServedCall,
): Promise<HttpAnswer> {
  const handler = bound.handler as ServerStreamHandler<unknown, unknown>;
  const events = eventsOf(bound, route, handler(message, call));
  const first = events.next();
  const arrived = await within(first, FIRST_EVENT_MS);
  if (arrived?.done === true) {
    succeed(call, 204);
    // For a browser that comes back after the last event: it must not come again.
    return { status: 204, headers: ids(call), body: "" };
  }
  const body = eventTexts({
    first,
    rest: events,
    ended: () => succeed(call, 200),
    failed: (thrown) => JSON.stringify(errorBody(call.endFailed(thrown))),
    left: () => {
      call.callerGone();
      call.endFailed(call.signal.reason);
    },
  });
  const headers = { "content-type": "text/event-stream", "x-accel-buffering": "no", ...ids(call) };
  return { status: 200, headers, body };
}

async function* eventsOf(
  bound: Bound,
  route: Route,
  answers: AsyncIterable<unknown>,
): AsyncGenerator<ServerSentEvent, undefined> {
  const { name = "", id: idPath = [] } = route.events ?? {};
  for await (const answer of answers) {
    let id: unknown = answer;
    for (const part of idPath) id = (id as Readonly<Record<string, unknown>>)[part];
    yield { name, id: String(id), data: answerText(bound, route, answer) };
  }
}

function answerText({ descriptor, method }: Bound, { answer }: Route, response: unknown): string {
  return responseText(descriptor.output, method.responseSerialize(response), answer);
}

function failed(call: ServedCall, thrown: unknown): HttpAnswer {
  const error = call.endFailed(thrown, (told) => ({
    [AttributeName.HttpStatusCode]: httpStatusOf(told),
  }));
  return errorAnswer(error, ids(call));
}

function succeed(call: ServedCall, status: number): void {
  call.annotate({ [AttributeName.HttpStatusCode]: status });
  call.endOk();
}

function ids({ traceId }: ServedCall): Record<string, string> {
  return traceId === "" ? {} : { "x-trace-id": traceId };
}

function unimplemented(_request: unknown, { method }: ServedCall): never {
  throw refusal("METHOD_NOT_IMPLEMENTED", `${method} is not implemented by this version`, {
    metadata: { method },
  });
}

function pathUnknown(verb: string, path: string): PipelineError {
  const message = `there is no ${verb} ${path.slice(0, 200)}; /openapi.json has what there is`;
  return refusal("PATH_UNKNOWN", message, { metadata: { verb, path: path.slice(0, 200) } });
}

function verbNotAllowed(verb: string, path: string, allowed: string): PipelineError {
  return refusal("VERB_NOT_ALLOWED", `${verb} is not for ${path.slice(0, 200)}, but ${allowed}`, {
    metadata: { verb, path: path.slice(0, 200), allowed },
  });
}
