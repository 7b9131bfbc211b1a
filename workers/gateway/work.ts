// WorkerService: the stream of a remote worker, read into its session and written from it.
//
// Guarantees: the first message is a hello, and comes soon; what is wrong with any message ends the
// stream with the reason. Whatever ends the stream ends the session. A gateway that drains asks its
// workers to move, and does not wait long for those that do not; each is asked after half an hour,
// too, before the server closes connections of that age.
// Does not own: the worker itself (../remote/session.ts).

import type { WorkRequest, WorkResponse } from "../../protos/gen/quorumq/v1/worker_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { WorkerHandlers } from "../../transport/grpc/server.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { checkHello } from "../remote/hello.ts";
import type { WorkerSession } from "../remote/session.ts";
import type { RemoteWorkers } from "../remote/sessions.ts";
import { GRACE_MS_DEFAULT } from "../worker.ts";
import { checkDuration } from "./validate.ts";
import { Violations } from "./violations.ts";

/** How long a worker may take to move: when this gateway ends, and when only its stream is old. */
const MOVE_MS = 3_000;
const AGED_MOVE_MS = 60_000;
const STREAM_AGE_MS = 28 * 60_000;

/** A stream on which nobody says who they are is of no use, and no worker's. */
const HELLO_MS = 10_000;

export function workHandlers(
  workers: RemoteWorkers,
  helloMs: number = HELLO_MS,
): Required<WorkerHandlers> {
  return { work: (requests, call) => work(workers, requests, call, helloMs) };
}

async function* work(
  workers: RemoteWorkers,
  requests: AsyncIterable<WorkRequest>,
  call: Call,
  helloMs: number,
): AsyncGenerator<WorkResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await hello(messages, call, helloMs);
  const message = first.done === true ? undefined : first.value.message;
  if (message?.$case !== "hello") throw wrongMessage(message?.$case, "hello");
  const checked = checkHello(message.value);
  call.annotate({ [AttributeName.Worker]: checked.workerId });
  const session = await workers.open(checked);
  const forget = watch(session, call);
  read(messages, session).catch((thrown: unknown) => session.outbox.fail(thrown));
  session.begin().catch((thrown: unknown) => session.outbox.fail(thrown));
  try {
    yield* session.outbox;
  } finally {
    forget();
    // Not waited for: the status leaves at once. The gateway's close waits.
    void workers.end(session);
  }
}

/** A stream on which nobody says anything holds up no drain. */
async function hello(
  messages: AsyncIterator<WorkRequest>,
  { signal, draining }: Call,
  helloMs: number,
): Promise<IteratorResult<WorkRequest>> {
  const gone = Promise.withResolvers<never>();
  const late = setTimeout(() => gone.reject(noHello(helloMs)), helloMs);
  const endings = [signal, draining].map((one) => listen(one, () => gone.reject(one.reason)));
  try {
    return await Promise.race([messages.next(), gone.promise]);
  } finally {
    clearTimeout(late);
    for (const ending of endings) ending();
  }
}

/** Ends when the worker has closed its half: then the stream is over. */
async function read(messages: AsyncIterator<WorkRequest>, session: WorkerSession): Promise<void> {
  let isDraining = false;
  for (;;) {
    const { done, value } = await messages.next();
    if (done === true) break;
    const { message } = value;
    switch (message?.$case) {
      case "heartbeat":
        session.heartbeat(message.value);
        break;
      case "finish":
        session.finish(message.value);
        break;
      case "drain":
        isDraining = true;
        drain(session, message.value.grace);
        break;
      default:
        throw wrongMessage(message?.$case, "heartbeat, finish or drain");
    }
  }
  // One that drains has said all that it had to say; its attempts end without it.
  if (!isDraining) session.outbox.end();
}

function drain(session: WorkerSession, grace: Parameters<typeof checkDuration>[0]): void {
  const violations = new Violations();
  const graceMs = checkDuration(grace, "drain.grace", violations);
  violations.requireNone();
  session
    .drain(grace === undefined ? GRACE_MS_DEFAULT : graceMs)
    .catch((thrown: unknown) => session.outbox.fail(thrown));
}

/** Follows the life of the call. Returns the function that ends it. */
function watch(session: WorkerSession, { signal, draining }: Call): () => void {
  const onAbort = (): void => session.outbox.fail(signal.reason);
  const onDrain = (): void => session.move(MOVE_MS);
  const aged = setTimeout(() => session.move(AGED_MOVE_MS), STREAM_AGE_MS);
  const endings = [listen(signal, onAbort), listen(draining, onDrain)];
  return () => {
    clearTimeout(aged);
    for (const ending of endings) ending();
  };
}

function listen(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

function noHello(helloMs: number): PipelineError {
  const message = `no hello came within ${helloMs} ms: open the stream again, and begin with one`;
  return refusal("DEADLINE_EXPIRED", message, { metadata: { hello_ms: String(helloMs) } });
}

function wrongMessage(got: string | undefined, wanted: string): PipelineError {
  const value = got ?? "nothing";
  const description = `is not what is due, got ${value}; allowed: ${wanted}`;
  return refusal("INVALID_FIELD", `message ${description}`, {
    metadata: { field: "message", value, limit: wanted },
    violations: [{ field: "message", description }],
  });
}
