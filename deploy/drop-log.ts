// Says in the log what a node's mailboxes dropped, by cause, when that has changed.
//
// Guarantees: at most one line in each interval, none while nothing is dropped; the counts are
// totals since the start of the process.

import type { Logger } from "../transport/telemetry/logger.ts";

type Counts = Readonly<Record<string, number>>;

const INTERVAL_MS = 2_000;

/** Returns the function that ends it, after a last look. */
export function keepDropLog(
  logger: Logger,
  sources: { readonly raft: () => Counts; readonly clients: () => Counts },
): () => void {
  let said = JSON.stringify([{}, {}]);
  const look = (): void => {
    const counts = [sources.raft(), sources.clients()];
    const now = JSON.stringify(counts);
    if (now === said) return;
    said = now;
    logger.warn({ dropped_raft: counts[0], dropped_clients: counts[1] }, "messages dropped");
  };
  const timer = setInterval(look, INTERVAL_MS);
  return () => {
    clearInterval(timer);
    look();
  };
}
