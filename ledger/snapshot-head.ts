// The first record of a snapshot: what is the whole ledger's, and how many records follow.
//
// Does not own: how it is made (snapshot.ts), checked against what follows (restore.ts), or
// written (transport/snapshot-write.ts).

import type { Counts } from "./counts.ts";

export interface SnapshotHead {
  readonly kind: "head";
  readonly appliedIndex: number;
  readonly clockMs: number;
  readonly termOpenedMs: number;
  readonly lastPlace: number;
  readonly receiptsMax: number;
  /** How many kinds, and how many queues, follow. */
  readonly kindCount: number;
  readonly queueCount: number;
  readonly lastArrival: number;
  /** Of all queues together. */
  readonly isPaused: boolean;
  readonly runningMax: number;
  /** Concurrency keys whose line was not looked at to the end, by code units. */
  readonly keysDue: readonly string[];
  /** How many schedules follow. */
  readonly scheduleCount: number;
  /** How many locks follow. */
  readonly lockCount: number;
  /** How many keys of forgotten jobs follow. */
  readonly forgottenKeyCount: number;
  /**
   * As many jobs follow as were accepted and not forgotten. The states' counts are those of the
   * jobs; so are others, if none was forgotten, but for those of
   * COUNTED_ONLY.
   */
  readonly counts: Counts;
}
