// The leader's snapshot on this follower's disk, chunk by chunk, and the ledger made of it.
//
// Guarantees: a snapshot counts as sound only if its bytes are durable, have the right checksum
// and are a ledger: what the node then takes over cannot fail any more. A disk that fails is told
// of, also by what nobody waits for any more.
// Does not own: which chunks are asked for (raft/snapshot-fetch.ts).

import assert from "node:assert/strict";
import type { Ledger } from "../../ledger/ledger.ts";
import type { Snapshot } from "../../raft/message.ts";
import type { LogStore, SnapshotWriter } from "../log-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import { loadLedger } from "./ledger-load.ts";

export interface SnapshotStageOptions {
  readonly store: LogStore;
  readonly logger: Logger;
  readonly onVerified: (snapshot: Snapshot, isSound: boolean) => void;
  /** A write failed: the disk is not to be trusted any more. */
  readonly onFailure: (cause: unknown) => void;
}

interface Staged {
  readonly snapshot: Snapshot;
  readonly writer: SnapshotWriter;
  writes: Promise<void>;
}

export class SnapshotStage {
  readonly #options: SnapshotStageOptions;
  #staged: Staged | null = null;
  #sound: { readonly snapshot: Snapshot; readonly ledger: Ledger } | null = null;

  constructor(options: SnapshotStageOptions) {
    this.#options = options;
  }

  stage(snapshot: Snapshot, offset: number, data: Uint8Array): void {
    if (this.#staged?.snapshot !== snapshot) {
      const writer = this.#options.store.openSnapshotWriter(snapshot);
      this.#staged = { snapshot, writer, writes: Promise.resolve() };
      this.#options.logger.info(
        { index: snapshot.index, bytes: snapshot.bytes },
        "fetching the leader's snapshot",
      );
    }
    const staged = this.#staged;
    staged.writes = staged.writes.then(() => staged.writer.write(offset, data));
    staged.writes.catch(this.#options.onFailure);
  }

  verify(snapshot: Snapshot): void {
    const staged = this.#staged;
    assert(staged?.snapshot === snapshot, "only what was staged is verified");
    this.#load(staged).then((ledger) => {
      if (this.#staged !== staged) return;
      this.#staged = null;
      this.#sound = ledger === null ? null : { snapshot, ledger };
      this.#options.onVerified(snapshot, ledger !== null);
    }, this.#options.onFailure);
  }

  /** The fetch was given up: a whole ledger is not kept for nothing. */
  forget(): void {
    this.#staged = null;
    this.#sound = null;
  }

  /** The ledger of the snapshot that was said to be sound. */
  takeLedger(snapshot: Snapshot): Ledger {
    const sound = this.#sound;
    assert(sound !== null && sound.snapshot === snapshot, "a snapshot that was not verified");
    this.#sound = null;
    return sound.ledger;
  }

  async #load({ snapshot, writer, writes }: Staged): Promise<Ledger | null> {
    const { store, logger } = this.#options;
    await writes;
    if (!(await writer.verify(snapshot))) {
      logger.warn({ index: snapshot.index }, "the leader's snapshot came damaged: once more");
      return null;
    }
    const loaded = await loadLedger(store, snapshot);
    if ("ok" in loaded) return loaded.ok;
    logger.error({ index: snapshot.index, cause: loaded.failure }, "a snapshot is no ledger");
    return null;
  }
}
