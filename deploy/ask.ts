// What a client command has at hand: a connection to the gateway, its words, its time.
//
// Guarantees: the connection is closed when the command is over; the time is the whole command's.

import { connectJobs, type JobsConnection } from "../transport/grpc/client.ts";
import { PipelineError } from "../transport/pipeline-error.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Form } from "./print.ts";

export type Options = Readonly<Record<string, unknown>>;

export interface Ask {
  readonly connection: JobsConnection;
  readonly options: Options;
  readonly words: readonly string[];
  readonly form: Form;
  /** Of the whole command, what is left; Infinity for one without --timeout. */
  readonly timeoutMs: () => number;
}

export type AskCommand = (ask: Ask) => Promise<ExitCode>;

export async function askGateway(
  command: AskCommand,
  address: string,
  options: Options,
  words: readonly string[],
): Promise<ExitCode> {
  const allowedMs = Number(options["timeout"] ?? Number.POSITIVE_INFINITY) * 1_000;
  const endMs = performance.now() + allowedMs;
  const connection = connectJobs({ address });
  try {
    return await command({
      connection,
      options,
      words,
      form: formOf(options),
      timeoutMs: () => Math.max(1, endMs - performance.now()),
    });
  } catch (error) {
    throw isUnreachable(error) ? located(error, address) : error;
  } finally {
    connection.close();
  }
}

function isUnreachable(error: unknown): error is PipelineError {
  return error instanceof PipelineError && error.reason === "UNREACHABLE";
}

/** Where it was looked for, which gRPC does not say of every failure, and what to do. */
function located(error: PipelineError, address: string): PipelineError {
  const { code, reason, retry } = error;
  const advice = "Does it run? `quorumq dev` starts one here, --address names another";
  const message = `no gateway answers at ${address}: ${error.rawMessage}. ${advice}`;
  return new PipelineError(message, { code, reason, retry, cause: error });
}

export function formOf(options: Options): Form {
  return options["output"] === "json" ? "json" : "text";
}
