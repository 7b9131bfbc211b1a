// The commands about locks: lock list and lock run, their words and options.
//
// Does not own: what the commands do (lock-command.ts, lock-run.ts).

import { Option } from "commander";
import { asking, output, positive, type Spec, seconds, timeout } from "./command-spec.ts";

/** For an option that may be given several times. */
function gather(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

export const LOCK_SPECS: readonly Spec[] = [
  asking(
    {
      group: "lock",
      words: "list",
      help: "list the lock keys that are held, by whom, and how many wait for each",
      options: [
        output(),
        timeout(),
        new Option("--key <key>", "only this key"),
        new Option("--limit <number>", "at most this many").argParser(positive).default(50),
      ],
    },
    async () => (await import("./lock-command.ts")).listLocks,
  ),
  asking(
    {
      group: "lock",
      words: "run <command...>",
      help: "run a command (after --) while holding a lock; it gets QUORUMQ_FENCING_TOKEN",
      options: [
        new Option("--key <key>", "the key to hold; several: repeat the option")
          .argParser(gather)
          .makeOptionMandatory(),
        new Option("--wait <time>", "wait in line for so long (default: not at all)").argParser(
          seconds,
        ),
        new Option("--ttl <time>", "how long the lock lives without a sign of life, in seconds")
          .argParser(seconds)
          .default(30),
      ],
    },
    async () => (await import("./lock-run.ts")).runLocked,
  ),
];
