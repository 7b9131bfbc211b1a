// What the event loop and the disk's thread say to each other.
//
// Guarantees: one batch of writes is under way at a time, and answered once. Snapshot tasks are
// carried out in the order they were sent, and answered once each, by id.

import type { HardState } from "../../raft/effect.ts";
import type { LogPosition, Snapshot } from "../../raft/message.ts";
import type { StoreIdentity } from "../log-store.ts";
import type { PackedBatch, PackedEntries } from "./packed.ts";
import type { StoreErrorCode } from "./store-error.ts";

export interface OpenOrder {
  readonly directory: string;
  readonly identity: StoreIdentity;
  readonly isReplacement: boolean;
  readonly pageCountMax: number | null;
}

export type SnapshotTask =
  /** A higher writer ends the one before and begins an empty staging file. */
  | {
      readonly kind: "stage";
      readonly writer: number;
      readonly offset: number;
      readonly data: Uint8Array<ArrayBuffer>;
    }
  | { readonly kind: "verify"; readonly writer: number; readonly snapshot: Snapshot }
  /** Reads the whole log as it is on the disk, beside the writes. Answered with true. */
  | { readonly kind: "check" }
  | {
      readonly kind: "read";
      readonly place: LogPosition;
      readonly offset: number;
      readonly bytes: number;
    };

/** True or false: of a verify. Bytes, or null for a snapshot that is gone: of a read. */
export type SnapshotAnswer = boolean | Uint8Array<ArrayBuffer> | null;

export type ToWorker =
  | { readonly kind: "write"; readonly batch: PackedBatch }
  | { readonly kind: "snapshot"; readonly taskId: number; readonly task: SnapshotTask }
  | { readonly kind: "close" };

/** All that a store holds but its entries. */
export interface RecoveredHead {
  readonly hardState: HardState;
  readonly snapshot: Snapshot | null;
  readonly offset: LogPosition;
  readonly incarnation: number;
  readonly storeId: string;
  readonly mayFound: boolean;
}

export type FromWorker =
  /** Some of the log, in order; `opened` or `refused` comes behind the last. */
  | { readonly kind: "entries"; readonly entries: PackedEntries }
  | { readonly kind: "opened"; readonly head: RecoveredHead }
  | { readonly kind: "refused"; readonly code: StoreErrorCode; readonly message: string }
  | { readonly kind: "written" }
  | { readonly kind: "answer"; readonly taskId: number; readonly answer: SnapshotAnswer }
  | { readonly kind: "failed"; readonly message: string };
