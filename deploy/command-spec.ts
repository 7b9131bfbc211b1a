// A command of the CLI as a value, and the options that many of them share.
//
// Guarantees: what a command does is loaded only when it runs (command.ts says why).

import { InvalidArgumentError, Option } from "commander";
import type { AskCommand, Options } from "./ask.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Config, SettingName } from "./settings.ts";

export type Action = (
  config: Config,
  options: Options,
  words: readonly string[],
) => Promise<ExitCode>;

export interface Spec {
  /** The noun that the command is under, as in `quorumq cluster add`. */
  readonly group?: "cluster" | "ledger" | "lock" | "queue" | "schedule";
  readonly words: string;
  readonly help: string;
  readonly settings: readonly SettingName[];
  readonly required?: readonly SettingName[];
  readonly options?: readonly Option[];
  readonly action: Action;
}

const TIMEOUT_SECONDS = 30;

export function output(): Option {
  return new Option("-o, --output <form>", "form of the answer")
    .choices(["text", "json"])
    .default("text");
}

export function timeout(seconds: number = TIMEOUT_SECONDS): Option {
  return new Option("--timeout <seconds>", "how long to wait for the answer")
    .argParser(positive)
    .default(seconds);
}

/** A command that asks a gateway. */
export function asking(
  spec: Omit<Spec, "settings" | "action">,
  load: () => Promise<AskCommand>,
): Spec {
  return {
    ...spec,
    settings: ["address"],
    action: async ({ address }, options, words) => {
      const { askGateway } = await import("./ask.ts");
      return askGateway(await load(), address, options, words);
    },
  };
}

export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("not above 0");
  return value;
}

/** As JavaScript reads it, such as 2026-11-25T18:00:00Z. */
export function time(text: string): Date {
  const value = new Date(text);
  if (Number.isNaN(value.getTime())) throw new InvalidArgumentError("not a time");
  return value;
}

export function nodeCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > 9) {
    throw new InvalidArgumentError("not 1 to 9");
  }
  return value;
}

export function natural(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("not 0, 1, 2, …");
  return value;
}
