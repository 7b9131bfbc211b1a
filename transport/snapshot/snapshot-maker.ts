// When a node takes a snapshot, and how: in a thread, from the last one and the entries behind it.
//
// Guarantees: one at a time, and the next one begins with what came of the last; none while the
// leader's is being fetched. The work between two grows with the ledger, since a new one costs a
// pass over all of it: it is due when the log has grown by `logBytes`, and by half of the last
// snapshot. One that is given up (the node fetches or has taken over a leader's meanwhile, or
// stops) leaves nothing behind, and each of those who asked for one is told.
// Does not own: the bytes on disk (LogStore), what the log keeps (raft/snapshot.ts).

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { LogIndex, LogPosition, Snapshot } from "../../raft/message.ts";
import type { RaftNode } from "../../raft/node.ts";
import { StoreError } from "../disk/store-error.ts";
import type { LogStore } from "../log-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import { snapshotSlices } from "./ledger-load.ts";
import { type Built, SnapshotBuildError, SnapshotBuilder } from "./snapshot-builder.ts";

/** What a restart and the next snapshot cost more, against what making one costs. */
const GROWTH = 1 / 2;
/** Packing so much for the thread is some milliseconds of the loop's time. */
const SLICE = { entriesMax: 1_000, bytesMax: 1024 * 1024 };

export interface Made {
  readonly snapshot: Snapshot;
  /** The ledger's at this index (ledger/hash.ts). */
  readonly hash: string;
}

export interface SnapshotMakerOptions {
  readonly store: LogStore;
  readonly node: RaftNode;
  readonly logBytes: number;
  readonly logger: Logger;
  /** It is durable: the log before it may go. */
  readonly onTaken: (snapshot: Snapshot) => void;
  /** Not that one could not be made, but that the disk failed, or a bug of ours. */
  readonly onFailure: (cause: unknown) => void;
}

interface Order {
  readonly index: LogIndex;
  /** Of all entries applied up to it in this life. */
  readonly bytes: number;
  readonly resolve: (made: Made | null) => void;
}

export class SnapshotMaker {
  readonly #options: SnapshotMakerOptions;
  #appliedIndex: LogIndex = 0;
  /** Of all entries applied in this life, and of those of them that the last snapshot holds. */
  #appliedBytes = 0;
  #heldBytes = 0;
  /** Asked for by somebody, oldest first; each index was applied. */
  #orders: Order[] = [];
  #builder: SnapshotBuilder | null = null;
  #isMaking = false;
  /** What was made last: the core is about to take it. */
  #takenIndex: LogIndex = 0;
  #isStopped = false;

  constructor(options: SnapshotMakerOptions) {
    this.#options = options;
  }

  /** Entries of so many bytes were applied, up to this one. */
  noteApplied(index: LogIndex, bytes: number): void {
    this.#appliedIndex = index;
    this.#appliedBytes += bytes;
  }

  /**
   * One of exactly what was applied up to `index`, which must be the last index applied; null if it
   * is given up.
   */
  make(index: LogIndex): Promise<Made | null> {
    if (this.#isStopped) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#orders.push({ index, bytes: this.#appliedBytes, resolve });
      this.advance();
    });
  }

  /** Begins what is due. To be called now and then: what it waits for may be over. */
  advance(): void {
    const { node } = this.#options;
    if (this.#isMaking || this.#isStopped || node.fetch !== null) return;
    // What was made last is the next one's base once the core has it.
    if ((node.snapshot?.index ?? 0) < this.#takenIndex) return;
    const first = this.#orders[0];
    if (first === undefined && !this.#isDue()) return;
    const index = first?.index ?? this.#appliedIndex;
    const orders = this.#orders.filter((order) => order.index === index);
    this.#orders = this.#orders.filter((order) => order.index !== index);
    this.#heldBytes = first?.bytes ?? this.#appliedBytes;
    this.#isMaking = true;
    void this.#make(index).then((made) => {
      this.#isMaking = false;
      for (const { resolve } of orders) resolve(made);
      this.advance();
    });
  }

  /** The leader's snapshot replaces everything: what is under way is of no use. */
  restored(): void {
    this.#heldBytes = this.#appliedBytes;
    void this.#builder?.stop();
    this.#giveUpOrders();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#giveUpOrders();
    await this.#builder?.stop();
  }

  #giveUpOrders(): void {
    const orders = this.#orders;
    this.#orders = [];
    for (const { resolve } of orders) resolve(null);
  }

  #isDue(): boolean {
    const { node, logBytes } = this.#options;
    const dueBytes = Math.max(logBytes, (node.snapshot?.bytes ?? 0) * GROWTH);
    return this.#appliedBytes - this.#heldBytes >= dueBytes;
  }

  async #make(index: LogIndex): Promise<Made | null> {
    const { node, logger, onTaken, onFailure } = this.#options;
    const base = node.snapshot;
    if (base !== null && index < base.index) return null;
    // A fetch that begins needs the store's one writer of snapshots.
    const isOvertaken = (): boolean =>
      this.#isStopped || node.snapshot !== base || node.fetch !== null;
    const startedMs = performance.now();
    try {
      this.#builder = new SnapshotBuilder();
      const made = await this.#build(this.#builder, base, index, isOvertaken);
      if (made === null || isOvertaken()) return null;
      if (made.snapshot.index > (base?.index ?? 0)) {
        this.#takenIndex = made.snapshot.index;
        onTaken(made.snapshot);
      }
      const tookMs = Math.round(performance.now() - startedMs);
      logger.info({ index, bytes: made.snapshot.bytes, took_ms: tookMs }, "snapshot taken");
      return made;
    } catch (error) {
      // A snapshot is not needed for anything: the log stays, and the next one may do better.
      if (!(error instanceof SnapshotBuildError)) {
        if (!this.#isStopped) onFailure(error);
      } else if (!isOvertaken()) {
        logger.error({ err: error, index }, "a snapshot could not be made");
      }
      return null;
    } finally {
      await this.#builder?.stop();
      this.#builder = null;
    }
  }

  /** Null: overtaken. */
  async #build(
    builder: SnapshotBuilder,
    base: Snapshot | null,
    index: LogIndex,
    isOvertaken: () => boolean,
  ): Promise<Made | null> {
    const { node, store } = this.#options;
    const place: LogPosition = { index, term: node.log.termAt(index) ?? 0 };
    const configuration = node.membership.at(index);
    if (base !== null && base.bytes > 0) await this.#giveBase(builder, base, isOvertaken);
    for (let from = (base?.index ?? 0) + 1; from <= index; ) {
      if (isOvertaken()) return null;
      const entriesMax = Math.min(SLICE.entriesMax, index + 1 - from);
      const entries = node.log.batch(from, { ...SLICE, entriesMax });
      assert(entries.length > 0, `what was applied is in the log: ${from}`);
      await builder.entries(entries);
      from += entries.length;
    }
    if (isOvertaken()) return null;
    const isNew = base === null || index > base.index;
    const writer = isNew ? store.openSnapshotWriter(place) : null;
    let offset = 0;
    let next: Uint8Array | Built;
    for (;;) {
      next = await builder.next();
      if (isOvertaken()) return null;
      if (!(next instanceof Uint8Array)) break;
      const { length } = next;
      await writer?.write(offset, next);
      if (isOvertaken()) return null;
      offset += length;
    }
    const { bytes, checksum, hash } = next;
    const snapshot = { ...place, configuration, bytes, checksum };
    if (writer !== null && !(await writer.verify(snapshot)) && !isOvertaken()) {
      throw new SnapshotBuildError(`what was written for ${index} is not what is on disk`);
    }
    return { snapshot, hash };
  }

  /** Read to its end whatever the thread makes of it: damage is told apart from all else. */
  async #giveBase(
    builder: SnapshotBuilder,
    base: Snapshot,
    isOvertaken: () => boolean,
  ): Promise<void> {
    let checksum = 0;
    let failure: unknown = null;
    for await (const slice of snapshotSlices(this.#options.store, base, base.bytes)) {
      if (isOvertaken()) return;
      checksum = crc32(slice, checksum);
      if (failure !== null) continue;
      await builder.base(slice).catch((error: unknown) => {
        failure = error;
      });
    }
    if (isOvertaken()) return;
    if (checksum !== base.checksum) {
      throw new StoreError("corrupt", `the snapshot at ${base.index} is not what was written`);
    }
    if (failure !== null) throw failure;
  }
}
