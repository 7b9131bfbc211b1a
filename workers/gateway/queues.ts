// ListQueues, PauseQueue, ResumeQueue, ConfigureQueue and DrainQueue.
//
// Guarantees: what is set is set once the call is answered, and setting it again changes nothing.
// A drain goes on, piece by piece, until the jobs that waited when it began are gone or the call's
// time is over; then it may be called again. NOT_FOUND is told only when the quorum says so.
// Does not own: what a pause or a limit does (ledger/admission.ts).

import type { CommandBody } from "../../ledger/command.ts";
import type { Queue } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import { DRAIN_JOBS_MAX } from "../../transport/limit.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { AttributeName } from "../../transport/telemetry/name.ts";
import { propose, read, timeLeft } from "./ask.ts";
import { outcomeUnknown, queueNotFound } from "./outcome.ts";
import { checkName, checkReason } from "./validate.ts";
import { checkLimits, checkQueue } from "./validate-queue.ts";
import { Violations } from "./violations.ts";

type QueueHandlers = Required<
  Pick<JobHandlers, "listQueues" | "pauseQueue" | "resumeQueue" | "configureQueue" | "drainQueue">
>;
type SetQueue = Extract<CommandBody, { kind: "set-queue" }>;
type Setting = Omit<SetQueue, "kind" | "queue">;

const UNCHANGED: Setting = { isPaused: null, runningMax: null, rate: null, waitingMax: null };

export function queueHandlers(quorum: Quorum): QueueHandlers {
  return {
    listQueues: async (_request, call) => {
      const question = { read: { $case: "queues", value: {} } } as const;
      const { queues, allQueues } = await read(quorum, question, call);
      return { queues, allQueues };
    },
    pauseQueue: ({ queue }, call) => pause(quorum, queue, true, call),
    resumeQueue: ({ queue }, call) => pause(quorum, queue, false, call),
    configureQueue: async ({ queue, limits }, call) => {
      const violations = new Violations();
      checkQueue(queue, violations);
      const checked = checkLimits(queue, limits, violations);
      violations.requireNone();
      return { queue: await set(quorum, queue, { ...UNCHANGED, ...checked }, call) };
    },
    drainQueue: async ({ queue, includeScheduled, reason }, call) => {
      const violations = new Violations();
      checkName(queue, "queue", violations);
      checkReason(reason, violations);
      violations.requireNone();
      const drain = { queue, withScheduled: includeScheduled, reason };
      return { cancelledCount: await drainAll(quorum, drain, call) };
    },
  };
}

async function pause(
  quorum: Quorum,
  queue: string,
  isPaused: boolean,
  call: Call,
): Promise<{ queue: Queue | undefined }> {
  const violations = new Violations();
  checkQueue(queue, violations);
  violations.requireNone();
  return { queue: await set(quorum, queue, { ...UNCHANGED, isPaused }, call) };
}

async function set(
  quorum: Quorum,
  queue: string,
  setting: Setting,
  call: Call,
): Promise<Queue | undefined> {
  call.annotate({ [AttributeName.JobQueue]: queue });
  const command: SetQueue = { kind: "set-queue", queue, ...setting };
  const applied = await propose(quorum, command, call, timeLeft(call));
  if (applied === null) throw setUnknown(queue);
  switch (applied.result?.$case) {
    case "queueSet":
      return applied.result.value.queue;
    case "queueNotFound":
      throw queueNotFound(queue);
    default:
      throw new Error(`setting a queue answered with ${applied.result?.$case ?? "nothing"}`);
  }
}

async function drainAll(
  quorum: Quorum,
  drain: { readonly queue: string; readonly withScheduled: boolean; readonly reason: string },
  call: Call,
): Promise<number> {
  const { queue } = drain;
  call.annotate({ [AttributeName.JobQueue]: queue });
  const leftMs = timeLeft(call);
  let untilArrival = 0;
  for (let cancelled = 0; ; ) {
    const piece = { ...drain, jobsMax: DRAIN_JOBS_MAX, untilArrival };
    const applied = await propose(quorum, { kind: "drain-queue", ...piece }, call, leftMs);
    if (applied === null) throw drainUnknown(queue, cancelled);
    if (applied.result?.$case === "queueNotFound") throw queueNotFound(queue);
    if (applied.result?.$case !== "queueDrained") {
      throw new Error(`a drain answered with ${applied.result?.$case ?? "nothing"}`);
    }
    const { value } = applied.result;
    cancelled += value.cancelled;
    untilArrival = value.untilArrival;
    if (!value.hasMore) return cancelled;
  }
}

function setUnknown(queue: string): PipelineError {
  return outcomeUnknown(`queue ${queue} may have been set`, "set it again, or list the queues", {
    queue,
  });
}

function drainUnknown(queue: string, cancelled: number): PipelineError {
  const whatHappened = `${cancelled} or more jobs of queue ${queue} were cancelled`;
  return outcomeUnknown(whatHappened, "drain it again to go on", { queue });
}
