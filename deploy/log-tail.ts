// `quorumq ledger tail`: the committed entries of the log, one a line.
//
// Guarantees: each entry once and in order, also when a follower has to go to another gateway or
// wait for a leader, which it tells on stderr. Ends quietly when nobody reads on (`| head`).

import { setTimeout as delay } from "node:timers/promises";
import { PipelineError } from "../transport/pipeline-error.ts";
import type { Ask } from "./ask.ts";
import { ExitCode } from "./exit-code.ts";
import { printEntry } from "./ledger-output.ts";
import { whenUnread } from "./print.ts";

const RETRY_PAUSE_MS = 1_000;

export async function tailLog({ connection, options, form }: Ask): Promise<ExitCode> {
  const unread = whenUnread();
  const follow = options["follow"] === true;
  let fromIndex = Number(options["from"] ?? 0);
  // An address that is wrong is no gateway that will come back.
  let hasBegun = false;
  for (;;) {
    try {
      const pages = connection.cluster.tailLog({ fromIndex, follow }, { signal: unread });
      for await (const { entries } of pages) {
        hasBegun = true;
        for (const entry of entries) {
          printEntry(entry, form);
          fromIndex = entry.index + 1;
        }
      }
      if (!follow) return ExitCode.Ok;
    } catch (thrown) {
      if (unread.aborted) return ExitCode.Ok;
      const isPassing = thrown instanceof PipelineError && thrown.retry === "safe";
      if (!follow || !hasBegun || !isPassing) throw thrown;
      process.stderr.write(`quorumq: ${thrown.message}; going on from entry ${fromIndex}\n`);
    }
    await delay(RETRY_PAUSE_MS);
  }
}
