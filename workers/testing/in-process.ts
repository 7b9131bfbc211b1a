// The gateway's own handlers as a connection without a network: same checks, errors and messages.
//
// Guarantees: a call is answered as the gateway would answer it, and fails as over the wire, with a
// PipelineError. What the services do not have yet is METHOD_NOT_IMPLEMENTED.
// Does not own: waiting for jobs, which moves the clock (test-pipeline.ts).

import type { Call } from "../../transport/grpc/call.ts";
import type { ClientCallOptions, JobsConnection } from "../../transport/grpc/client.ts";
import { CALL_TIMEOUT_MS_DEFAULT } from "../../transport/limit.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import type { ServiceHandlers } from "../gateway/services.ts";

type Handler = (request: unknown, call: Call) => Promise<unknown> | AsyncIterable<unknown>;

export type InProcess = Pick<JobsConnection, "jobs" | "cluster" | "locks">;

export function connectInProcess(
  handlers: Pick<ServiceHandlers, "jobs" | "cluster" | "locks">,
): InProcess {
  // The handlers are typed by the same definitions as the methods of a connection.
  return {
    jobs: methodsOf(handlers.jobs) as InProcess["jobs"],
    cluster: methodsOf(handlers.cluster) as InProcess["cluster"],
    locks: methodsOf(handlers.locks) as InProcess["locks"],
  };
}

function methodsOf(handlers: object): object {
  return new Proxy(handlers, {
    get(target, name) {
      const handler = Reflect.get(target, name) as Handler | undefined;
      return (request: unknown, options: ClientCallOptions = {}) =>
        handler === undefined ? unknown(String(name)) : answer(handler, request, options);
    },
  });
}

function answer(
  handler: Handler,
  request: unknown,
  options: ClientCallOptions,
): Promise<unknown> | AsyncIterable<unknown> {
  const answered = handler(request, callOf(options));
  if (!(answered instanceof Promise)) return answered;
  return answered.catch((thrown: unknown) => {
    throw PipelineError.from(thrown);
  });
}

function callOf({ traceparent = "", signal, timeoutMs }: ClientCallOptions): Call {
  return {
    method: "in-process",
    traceparent,
    signal: signal ?? new AbortController().signal,
    draining: new AbortController().signal,
    remainingMs: () => timeoutMs ?? CALL_TIMEOUT_MS_DEFAULT,
    annotate: () => undefined,
  };
}

function unknown(name: string): Promise<never> {
  return Promise.reject(refusal("METHOD_NOT_IMPLEMENTED", `${name} is of a later version`));
}
