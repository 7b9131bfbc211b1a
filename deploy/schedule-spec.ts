// The commands about schedules: schedule create, get, list, delete, pause, resume, run.
//
// Does not own: what the commands do (schedule-command.ts).

import { Option } from "commander";
import {
  asking,
  natural,
  output,
  positive,
  type Spec,
  span,
  time,
  timeout,
} from "./command-spec.ts";

type ScheduleCommand = "create" | "get" | "list" | "delete" | "pause" | "resume" | "run";

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
  schedule("run", "run <id>", "make a job of it now, beside its slots, and print the job's id", [
    new Option("--key <key>", "idempotency key: the same key again gives the same job"),
    new Option("--beside", "even while another job of the schedule has not ended"),
  ]),
];
