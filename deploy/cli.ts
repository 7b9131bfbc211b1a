// The entry of every quorumq process: parses the command line, runs one command, ends with its
// exit code.
//
// Guarantees: data goes to stdout, everything else to stderr. What a user can cause is told in one
// message without a stack; what only a bug can cause, with one.
// Does not own: the commands (command.ts), the codes (exit-code.ts).

import { CommanderError } from "commander";
import { PipelineError } from "../transport/pipeline-error.ts";
import { buildProgram } from "./command.ts";
import { ExitCode, exitCodeOf, UsageError } from "./exit-code.ts";
import { NotStartedError } from "./local/ready.ts";

/** `words`: what follows the program's name. Ends the process. */
export async function main(words: readonly string[]): Promise<never> {
  process.exit(await run(words));
}

async function run(words: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = ExitCode.Ok;
  const program = buildProgram((ended) => {
    code = ended;
  });
  try {
    await program.parseAsync([...words], { from: "user" });
    return code;
  } catch (error) {
    // Commander has said it already; asking for help is no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
    process.stderr.write(`quorumq: ${textOf(error)}\n`);
    return exitCodeOf(error);
  }
}

function textOf(error: unknown): string {
  if (error instanceof UsageError || error instanceof NotStartedError) return error.message;
  if (error instanceof PipelineError) {
    // One alone is the message itself.
    const { violations } = error;
    const several = violations.length > 1 ? violations : [];
    const bad = several.map(({ field, description }) => `\n  ${field}: ${description}`);
    return `${error.message} (${error.reason})${bad.join("")}`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

if (import.meta.main) await main(process.argv.slice(2));
