// "Are you sure?", before a command takes something away.
//
// Guarantees: nobody is asked who cannot answer: without a terminal the command line itself has to
// say --yes, and nothing has been done when it does not. The question goes to stderr.

import { createInterface } from "node:readline/promises";
import { UsageError } from "./exit-code.ts";

/** Throws unless it was confirmed. */
export async function confirm(question: string, isConfirmed: boolean): Promise<void> {
  if (isConfirmed) return;
  if (!process.stdin.isTTY) {
    throw new UsageError(`${question} Say so with --yes: there is no terminal to ask at`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    terminal.close();
  }
  throw new UsageError("not confirmed: nothing was changed");
}
