// The commands about queues: their words and options.
//
// Guarantees: what cancels jobs has --yes, and needs it when nobody can be asked.
// Does not own: what the commands do (queue-command.ts).

import { InvalidArgumentError, Option } from "commander";
import type { AskCommand } from "./ask.ts";
import { asking, natural, output, type Spec, timeout } from "./command-spec.ts";

type QueueCommand = "list" | "pause" | "resume" | "configure" | "drain";

/** A drain of very many jobs takes as long as the longest call may. */
const DRAIN_TIMEOUT_SECONDS = 60;

function queue(
  name: QueueCommand,
  words: string,
  help: string,
  options: readonly Option[] = [],
  seconds?: number,
): Spec {
  const load = async (): Promise<AskCommand> =>
    (await import("./queue-command.ts")).QUEUE_COMMANDS[name];
  const all = [output(), timeout(seconds), ...options];
  return asking({ group: "queue", words, help, options: all }, load);
}

const LIMIT_HELP = "; 0 is no limit";

export const QUEUE_SPECS: readonly Spec[] = [
  queue("list", "list", "show the queues: their jobs by state, their limits, who waits longest"),
  queue(
    "pause",
    "pause <queue>",
    "start no more jobs of this queue ('*': of any); running ones go on",
  ),
  queue("resume", "resume <queue>", "start jobs of this queue again"),
  queue("configure", "configure <queue>", "set limits of this queue ('*': of all together)", [
    new Option("--max-running <number>", `jobs that run at the same time${LIMIT_HELP}`).argParser(
      natural,
    ),
    new Option(
      "--rate <count/period>",
      `starts in any such period, as 100/1m; units ms, s, m, h${LIMIT_HELP}`,
    ).argParser(rate),
    new Option(
      "--max-waiting <number>",
      `jobs that wait before submissions are refused${LIMIT_HELP}`,
    ).argParser(natural),
  ]),
  queue(
    "drain",
    "drain <queue>",
    "cancel the waiting jobs of this queue; running ones go on",
    [
      new Option("--scheduled", "those that are not due yet, too"),
      new Option("--reason <text>", "why"),
      new Option("-y, --yes", "do not ask"),
    ],
    DRAIN_TIMEOUT_SECONDS,
  ),
];

export interface Rate {
  readonly count: number;
  readonly periodMs: number;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** "100/1m", "5/s", or "0" for none. */
export function rate(text: string): Rate {
  if (text === "0") return { count: 0, periodMs: 0 };
  const match = /^([0-9]+)\/([0-9]*)(ms|s|m|h)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("not such as 100/1m, 5/s or 0");
  const [, count, periods, unit = "s"] = match;
  const periodMs = (periods === "" ? 1 : Number(periods)) * (UNIT_MS[unit] ?? 0);
  return { count: natural(count ?? ""), periodMs };
}
