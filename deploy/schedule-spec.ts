// The commands about schedules: schedule create, get, list, delete, pause, resume.
//
// Does not own: what the commands do (schedule-command.ts).

import { InvalidArgumentError, Option } from "commander";
import { asking, natural, output, positive, type Spec, time, timeout } from "./command-spec.ts";

type ScheduleCommand = "create" | "get" | "list" | "delete" | "pause" | "resume";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function schedule(
  name: ScheduleCommand,
  words: string,
  help: string,
  options: readonly Option[] = [],
): Spec {
  return asking(
    { group: "schedule", words, help, options: [output(), timeout(), ...options] },
    async () => (await import("./schedule-command.ts")).SCHEDULE_COMMANDS[name],
  );
}

export const SCHEDULE_SPECS: readonly Spec[] = [
  schedule(
    "create",
    "create <kind> [payload]",
    "make a job of this kind at each slot; the payload is JSON, @file or - for stdin",
    [
      new Option("--cron <fields>", 'such as "30 2 * * MON-FRI", 6 fields begin with the second'),
      new Option("--time-zone <name>", "of the cron, such as Europe/Berlin (default: UTC)"),
      new Option("--every <time>", "instead of a cron: 90s, 5m, 1h").argParser(span),
      new Option("--id <id>", "the same schedule again under this id changes nothing"),
      new Option("--overlap <policy>", "while an earlier job has not ended")
        .choices(["skip", "queue", "allow"])
        .default("skip"),
      new Option("--missed <policy>", "for slots that came while nobody led")
        .choices(["skip", "once", "all"])
        .default("skip"),
      new Option("--missed-after <time>", "decided later than this is missed").argParser(span),
      new Option("--start <time>", "no slot before it, such as 2027-01-31T08:00Z").argParser(time),
      new Option("--end <time>", "no slot after it").argParser(time),
      new Option("--queue <name>", "queue, if not the kind's own"),
      new Option("--priority <number>", "0 to 1000, higher runs earlier").argParser(natural),
      new Option("--max-attempts <number>", "attempts, if not the kind's own").argParser(natural),
      new Option("--lock <key...>", "keys that only one running job may hold"),
    ],
  ),
  schedule("get", "get <id>", "show a schedule"),
  schedule("list", "list", "list schedules, in the order of creation", [
    new Option("--limit <number>", "at most this many").argParser(positive).default(50),
  ]),
  schedule("delete", "delete <id>", "no more slots; jobs that were made stay"),
  schedule("pause", "pause <id>", "no slots until it is resumed"),
  schedule("resume", "resume <id>", "go on with the next slot from now"),
];

/** 90s, in ms. */
function span(text: string): number {
  const [, number, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!Number.isFinite(ms)) throw new InvalidArgumentError("not a time such as 90s, 5m or 1h");
  return Math.round(ms);
}
