// What a driver is given, what it tells about itself, and the core that it is given to run.

import { performance } from "node:perf_hooks";
import type { Ledger } from "../ledger/ledger.ts";
import type { Change } from "../ledger/result.ts";
import type { Role } from "../raft/effect.ts";
import type { NodeId, Term } from "../raft/message.ts";
import { createNode, type Limits, type RaftNode } from "../raft/node.ts";
import * as limit from "./limit.ts";
import type { LogStore } from "./log-store.ts";
import type { Retention } from "./retention-keeper.ts";
import type { Logger } from "./telemetry/logger.ts";

export interface DriverTiming {
  readonly electionTimeoutMinMs: number;
  readonly electionTimeoutMaxMs: number;
  readonly heartbeatIntervalMs: number;
}

export interface DriverOptions {
  readonly cluster: string;
  /** This node's name and disk (member-id.ts). */
  readonly memberId: NodeId;
  /** Names of the nodes that a new cluster starts with, the same on all of them. */
  readonly founders: readonly string[];
  readonly timing: DriverTiming;
  /** Seeds election timeouts and backoff jitter; two nodes must not share it. */
  readonly seed: number;
  readonly store: LogStore;
  /** What the store's snapshot holds; an empty one without a snapshot. */
  readonly ledger: Ledger;
  /** A snapshot is taken when the log has grown by so much. */
  readonly snapshotLogBytes: number;
  /** What a leader has forgotten; absent: nothing. */
  readonly retention?: Retention;
  readonly logger: Logger;
  /** Each committed change, on every node, right after it was applied. */
  readonly onChanges: (changes: readonly Change[]) => void;
  /**
   * True once this node leads and has applied all that was committed before; false when it ends.
   */
  readonly onLeading: (isLeading: boolean) => void;
  /** The node cannot go on: its disk failed. It has stopped already. */
  readonly onFatal: (cause: unknown) => void;
}

export interface DriverStatus {
  readonly role: Role;
  readonly term: Term;
  /** By name. */
  readonly leader: string | null;
  readonly lastApplied: number;
  readonly isLeading: boolean;
}

const CORE_LIMITS: Limits = {
  appendEntriesMax: limit.APPEND_ENTRIES_MAX,
  appendBytesMax: limit.APPEND_BYTES_MAX,
  inflightMax: limit.APPEND_INFLIGHT_MAX,
  inflightBytesMax: limit.APPEND_INFLIGHT_BYTES_MAX,
  uncommittedEntriesMax: limit.UNCOMMITTED_ENTRIES_MAX,
  uncommittedBytesMax: limit.UNCOMMITTED_BYTES_MAX,
  trailingEntriesMax: limit.TRAILING_ENTRIES_MAX,
  trailingBytesMax: limit.TRAILING_BYTES_MAX,
  snapshotChunkBytes: limit.SNAPSHOT_CHUNK_BYTES,
  snapshotWindow: limit.SNAPSHOT_WINDOW,
  promotionLagMax: limit.PROMOTION_LAG_MAX,
};

/** From what the disk had, on this process's monotonic clock. */
export function createCore({ store, timing, memberId: id, seed }: DriverOptions): RaftNode {
  const { hardState, snapshot, offset, entries } = store.recovered;
  return createNode({
    id,
    hardState,
    snapshot,
    offset,
    entries,
    electionTimeoutMs: { min: timing.electionTimeoutMinMs, max: timing.electionTimeoutMaxMs },
    heartbeatIntervalMs: timing.heartbeatIntervalMs,
    seed,
    limits: CORE_LIMITS,
    nowMs: performance.now(),
  });
}
