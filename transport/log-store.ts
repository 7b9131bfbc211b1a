// The port to a node's disk: term, vote and log.
//
// Guarantees asked of an adapter: a write is one transaction; it resolves only when it would
// survive a power cut; writes become durable in the order they were asked; the first failure
// poisons the store, so that nothing is acknowledged after an fsync error (raft-lessons L28).

import type { HardState } from "../raft/effect.ts";
import type { Entry, LogIndex } from "../raft/message.ts";

export interface StoreIdentity {
  readonly cluster: string;
  readonly nodeId: string;
}

export interface Recovered {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
  /** Rises by one at each open, durably: names this life of the node. From 1. */
  readonly incarnation: number;
}

export interface LogWrite {
  readonly hardState?: HardState;
  /** Drop this entry and all behind it, before appending. */
  readonly truncateFrom?: LogIndex;
  readonly entries: readonly Entry[];
}

export interface LogStore {
  readonly recovered: Recovered;
  /** Resolves when durable. Rejects when the store is poisoned: the node must stop. */
  persist(write: LogWrite): Promise<void>;
  close(): Promise<void>;
}
