// What a client command has at hand: a connection to the gateway, its words, its time.
//
// Guarantees: the connection is closed when the command is over; the time is the whole command's.

import { connectJobs, type JobsConnection } from "../transport/grpc/client.ts";
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
  } finally {
    connection.close();
  }
}

export function formOf(options: Options): Form {
  return options["output"] === "json" ? "json" : "text";
}
