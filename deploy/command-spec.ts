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
  given: ReadonlySet<SettingName>,
) => Promise<ExitCode>;

export interface Spec {
  /** The noun that the command is under, as in `quorumq cluster add`. */
  readonly group?: "cluster" | "ledger" | "lock" | "queue" | "schedule";
  readonly words: string;
  readonly help: string;
  readonly settings: readonly SettingName[];
  readonly required?: readonly SettingName[];
  readonly options?: readonly Option[];
  /** True: it starts a stack, and asks none that runs here for its addresses. */
  readonly startsStack?: boolean;
  readonly action: Action;
}

const TIMEOUT_SECONDS = 30;

export function output(): Option {
  return new Option("-o, --output <form>", "form of the answer")
    .choices(["text", "json"])
    .default("text");
}

export function timeout(defaultSeconds: number = TIMEOUT_SECONDS): Option {
  return new Option("--timeout <time>", "how long to wait for the answer: seconds, or 90s, 5m, 1h")
    .argParser(seconds)
    .default(defaultSeconds);
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

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** 90s, in ms. */
export function span(text: string): number {
  const [, number, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isFinite(ms)) throw new InvalidArgumentError("not a time such as 90s, 5m or 1h");
  return Math.round(ms);
}

/** 90, or 90s, or 1.5m: above 0, in seconds. */
export function seconds(text: string): number {
  const value = /^[0-9]*\.?[0-9]+$/.test(text) ? Number(text) : span(text) / 1_000;
  if (value <= 0) throw new InvalidArgumentError("not above 0");
  return value;
}

/** 1, 2, 3, … */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("not 1, 2, 3, …");
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
