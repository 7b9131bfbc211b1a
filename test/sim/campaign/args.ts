// The command line of `npm run sim`.
//
// Guarantees: an unknown word or a number that is none is an error with the usage; what is not said
// has one default. Does not own: what a run does with it.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type FaultKind, isFaultKind } from "../fault-kind.ts";
import type { Overrides } from "../swarm.ts";

export interface Args {
  readonly from: number;
  /** Without an end: as long as `minutes` says. */
  readonly to: number;
  readonly minutes: number;
  readonly jobs: number;
  readonly overrides: Overrides;
  readonly isTraced: boolean;
  readonly isJson: boolean;
  readonly isTwice: boolean;
  readonly isShrunk: boolean;
}

export const USAGE = `npm run sim -- [--seed N | --seeds A..B | --minutes M [--from A]]
  --jobs J               worker threads (default: one a core)
  --trace                every event as a line (with --seed)
  --json                 the summary for machines
  --check-determinism    each seed twice, with equal traces
  --no-shrink            a failing seed as it is
  --without KIND,KIND    these faults are off
  --until-ms T --founders N --spares N --gateways N --workers N
  --queue-operators N --retentions N             a smaller run
`;

const SEEDS_DEFAULT = 100;

/** A text: what is wrong. */
export function readArgs(words: readonly string[]): Args | string {
  try {
    return read(words);
  } catch (error) {
    // parseArgs says what it does not understand by throwing.
    return error instanceof Error ? error.message : String(error);
  }
}

function read(words: readonly string[]): Args {
  const { values } = parseArgs({
    args: [...words],
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      from: { type: "string" },
      minutes: { type: "string" },
      jobs: { type: "string" },
      without: { type: "string" },
      "until-ms": { type: "string" },
      founders: { type: "string" },
      spares: { type: "string" },
      gateways: { type: "string" },
      workers: { type: "string" },
      "queue-operators": { type: "string" },
      retentions: { type: "string" },
      trace: { type: "boolean" },
      json: { type: "boolean" },
      "check-determinism": { type: "boolean" },
      "no-shrink": { type: "boolean" },
    },
  });
  const number = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} ${text} is no number`);
    return value;
  };
  const minutes = number("minutes", values.minutes) ?? Number.POSITIVE_INFINITY;
  const from = number("from", values.from) ?? 1;
  const [first, last] = rangeOf(values.seed, values.seeds) ?? [
    from,
    minutes < Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : from + SEEDS_DEFAULT - 1,
  ];
  return {
    from: first,
    to: last,
    minutes,
    jobs: number("jobs", values.jobs) ?? availableParallelism(),
    isTraced: values.trace ?? false,
    isJson: values.json ?? false,
    isTwice: values["check-determinism"] ?? false,
    isShrunk: !(values["no-shrink"] ?? false),
    overrides: withoutAbsent({
      without: values.without === undefined ? undefined : kindsOf(values.without),
      untilMs: number("until-ms", values["until-ms"]),
      founders: number("founders", values.founders),
      spares: number("spares", values.spares),
      gateways: number("gateways", values.gateways),
      workers: number("workers", values.workers),
      queueOperators: number("queue-operators", values["queue-operators"]),
      retentions: number("retentions", values.retentions),
    }),
  };
}

function rangeOf(seed: string | undefined, seeds: string | undefined): [number, number] | null {
  if (seed === undefined && seeds === undefined) return null;
  const [first = "", last = first] = (seed ?? seeds ?? "").split("..");
  const range: [number, number] = [Number(first), Number(last)];
  const isSound = range.every((end) => Number.isSafeInteger(end) && end >= 0);
  if (!isSound || range[1] < range[0]) throw new Error(`${seed ?? seeds} is no range of seeds`);
  return range;
}

function kindsOf(text: string): FaultKind[] {
  return text.split(",").map((kind) => {
    if (!isFaultKind(kind)) throw new Error(`no fault is called ${kind}`);
    return kind;
  });
}

function withoutAbsent(
  fields: { [Name in keyof Overrides]: Overrides[Name] | undefined },
): Overrides {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Overrides;
}

/** The command that runs this very case again. */
export function commandOf(seed: number, overrides: Overrides): string {
  const { without = [], untilMs, queueOperators, ...others } = overrides;
  const { founders, spares, gateways, workers, retentions } = others;
  const numbers = {
    "until-ms": untilMs,
    founders,
    spares,
    gateways,
    workers,
    "queue-operators": queueOperators,
    retentions,
  };
  const words = [`npm run sim -- --seed ${seed}`];
  if (without.length > 0) words.push(`--without ${without.join(",")}`);
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined) words.push(`--${name} ${value}`);
  }
  return words.join(" ");
}
