// The commands about queues: list, pause, resume, configure, drain.
//
// Guarantees: the answer goes to stdout in the form asked for, questions to stderr. What cancels
// jobs asks before.
// Does not own: how an answer looks (queue-output.ts); refusals, which are thrown (exit-code.ts).

import type { QueueLimits } from "../protos/gen/quorumq/v1/job_service.ts";
import { durationOf } from "../transport/wire-value.ts";
import type { Ask, AskCommand, Options } from "./ask.ts";
import { confirm } from "./confirm.ts";
import { ExitCode, UsageError } from "./exit-code.ts";
import { printDrained, printQueue, printQueues } from "./queue-output.ts";
import type { Rate } from "./queue-spec.ts";

export const QUEUE_COMMANDS = {
  list,
  pause,
  resume,
  configure,
  drain,
} as const satisfies Readonly<Record<string, AskCommand>>;

async function list({ connection, form, timeoutMs }: Ask): Promise<ExitCode> {
  printQueues(await connection.jobs.listQueues({}, { timeoutMs: timeoutMs() }), form);
  return ExitCode.Ok;
}

async function pause({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = { queue: words[0] ?? "" };
  const { queue } = await connection.jobs.pauseQueue(request, { timeoutMs: timeoutMs() });
  printQueue(queue, form);
  return ExitCode.Ok;
}

async function resume({ connection, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const request = { queue: words[0] ?? "" };
  const { queue } = await connection.jobs.resumeQueue(request, { timeoutMs: timeoutMs() });
  printQueue(queue, form);
  return ExitCode.Ok;
}

async function configure(ask: Ask): Promise<ExitCode> {
  const { connection, options, words, form, timeoutMs } = ask;
  const request = { queue: words[0] ?? "", limits: limitsOf(options) };
  const { queue } = await connection.jobs.configureQueue(request, { timeoutMs: timeoutMs() });
  printQueue(queue, form);
  return ExitCode.Ok;
}

async function drain({ connection, options, words, form, timeoutMs }: Ask): Promise<ExitCode> {
  const queue = words[0] ?? "";
  const includeScheduled = options["scheduled"] === true;
  const which = includeScheduled ? "waiting and scheduled" : "waiting";
  await confirm(`This cancels the ${which} jobs of queue ${queue}.`, options["yes"] === true);
  const request = { queue, includeScheduled, reason: String(options["reason"] ?? "") };
  const { cancelledCount } = await connection.jobs.drainQueue(request, {
    timeoutMs: timeoutMs(),
  });
  printDrained(queue, cancelledCount, form);
  return ExitCode.Ok;
}

/** What is not named stays as it is. */
function limitsOf({ maxRunning, rate, maxWaiting }: Options): QueueLimits {
  if (maxRunning === undefined && rate === undefined && maxWaiting === undefined) {
    throw new UsageError("nothing to set: give --max-running, --rate or --max-waiting");
  }
  return {
    maxRunning: maxRunning === undefined ? undefined : Number(maxRunning),
    rate: rate === undefined ? undefined : rateOf(rate as Rate),
    maxWaiting: maxWaiting === undefined ? undefined : Number(maxWaiting),
  };
}

function rateOf({ count, periodMs }: Rate): NonNullable<QueueLimits["rate"]> {
  return { count, period: durationOf(periodMs) };
}
