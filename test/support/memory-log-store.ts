// A disk in memory whose writes become durable when the test says so, and the life after it.
//
// Guarantees: as transport/log-store.ts asks: writes become durable in order, and the first failure
// is the last word. `reopen` gives what a power cut would have left: the durable writes only.

import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { HardState } from "../../raft/effect.ts";
import type { Entry, LogPosition, Snapshot } from "../../raft/message.ts";
import { StoreError } from "../../transport/disk/store-error.ts";
import type { LogStore, LogWrite, Recovered, SnapshotWriter } from "../../transport/log-store.ts";
import { WriteCheck } from "../../transport/write-check.ts";

interface Waiting {
  readonly becomeDurable: () => void;
  readonly reject: (cause: unknown) => void;
}

interface StoredSnapshot {
  readonly snapshot: Snapshot;
  readonly data: Uint8Array;
}

interface Chunk {
  readonly offset: number;
  readonly data: Uint8Array;
}

export type MemoryLogStoreOptions = Partial<Recovered> & {
  /** Of the recovered snapshot. */
  readonly snapshotData?: Uint8Array;
};

const EMPTY: Recovered = {
  hardState: { currentTerm: 0, votedFor: null },
  snapshot: null,
  offset: { index: 0, term: 0 },
  entries: [],
  incarnation: 1,
  storeId: "00000000",
  mayFound: true,
};

export class MemoryLogStore implements LogStore {
  readonly recovered: Recovered;
  /** Told of each write that is asked for. */
  onAsked: () => void = () => undefined;
  readonly #check: WriteCheck;
  #hardState: HardState;
  #offset: LogPosition;
  #entries: Entry[];
  #snapshot: Snapshot | null;
  /** The one in force, the one before it, and the verified ones that came later. */
  #stored: StoredSnapshot[] = [];
  #writer = 0;
  #isHeld = false;
  #isClosed = false;
  #waiting: Waiting[] = [];
  #poison: Error | null = null;

  constructor({ snapshotData = new Uint8Array(0), ...recovered }: MemoryLogStoreOptions = {}) {
    this.recovered = { ...EMPTY, ...recovered };
    const { hardState, offset, entries, snapshot } = this.recovered;
    this.#check = new WriteCheck(this.recovered);
    this.#hardState = hardState;
    this.#offset = offset;
    this.#entries = [...entries];
    this.#snapshot = snapshot;
    if (snapshot !== null) this.#stored.push({ snapshot, data: snapshotData });
  }

  /** Term and vote on the disk. */
  get hardState(): HardState {
    return this.#hardState;
  }

  /** The log on the disk. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** The place before the log on the disk. */
  get offset(): LogPosition {
    return this.#offset;
  }

  /** The snapshot on the disk that a restart begins with. */
  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** Writes and verifications asked for that are not durable. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  persist(write: LogWrite): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    this.#check.accept(write);
    const durable = this.#durable(() => this.#apply(write));
    this.onAsked();
    return durable;
  }

  /** Memory does not rot. */
  check(): Promise<void> {
    const refusal = this.#refusal();
    return refusal === null ? Promise.resolve() : Promise.reject(refusal);
  }

  openSnapshotWriter(place: LogPosition): SnapshotWriter {
    this.#writer += 1;
    const writer = this.#writer;
    const chunks: Chunk[] = [];
    return {
      write: async (offset, data) => {
        const refusal = this.#refusal();
        if (refusal !== null) throw refusal;
        if (writer === this.#writer) chunks.push({ offset, data: new Uint8Array(data) });
      },
      verify: async (snapshot) => {
        assert.deepEqual([snapshot.index, snapshot.term], [place.index, place.term]);
        const refusal = this.#refusal();
        if (refusal !== null) throw refusal;
        if (writer !== this.#writer) return false;
        this.#writer += 1;
        return await this.#durable(() => this.#store(snapshot, joined(chunks)));
      },
    };
  }

  readSnapshot(place: LogPosition, offset: number, bytes: number): Promise<Uint8Array | null> {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    const found = this.#stored.find(({ snapshot }) => isAt(snapshot, place));
    return Promise.resolve(found?.data.slice(offset, offset + bytes) ?? null);
  }

  /** From now on nothing becomes durable. */
  hold(): void {
    this.#isHeld = true;
  }

  /** All that waits becomes durable, and so does what comes. */
  release(): void {
    this.#isHeld = false;
    this.#sync();
  }

  /** As an fsync error: what waits is lost, and nothing is written any more. */
  fail(cause: Error): void {
    this.#poison = cause;
    for (const { reject } of this.#waiting.splice(0)) reject(cause);
  }

  /** The same disk in the node's next life. */
  reopen(): MemoryLogStore {
    const { incarnation, storeId, mayFound } = this.recovered;
    const current = this.#stored.find(({ snapshot }) => snapshot === this.#snapshot);
    return new MemoryLogStore({
      hardState: this.#hardState,
      snapshot: this.#snapshot,
      offset: this.#offset,
      entries: this.#entries,
      incarnation: incarnation + 1,
      storeId,
      mayFound,
      ...(current === undefined ? {} : { snapshotData: current.data }),
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  #refusal(): Error | null {
    if (this.#poison !== null) return this.#poison;
    return this.#isClosed ? new StoreError("closed", "the log store is closed") : null;
  }

  #durable<Outcome>(work: () => Outcome): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ becomeDurable: () => resolve(work()), reject });
      if (!this.#isHeld) this.#sync();
    });
  }

  #sync(): void {
    for (const { becomeDurable } of this.#waiting.splice(0)) becomeDurable();
  }

  #store(snapshot: Snapshot, data: Uint8Array): boolean {
    if (data.length !== snapshot.bytes || crc32(data) !== snapshot.checksum) return false;
    const known = this.#stored.find((other) => isAt(other.snapshot, snapshot));
    // The one in force stays; so does the one before, which a peer may be fetching.
    const isOld = snapshot.index <= (this.#snapshot?.index ?? -1);
    if (isOld && known !== undefined && !known.data.every((byte, at) => byte === data[at])) {
      return false;
    }
    this.#check.verified(snapshot);
    if (isOld) return true;
    this.#stored = this.#stored.filter((other) => !isAt(other.snapshot, snapshot));
    this.#stored.push({ snapshot, data });
    return true;
  }

  #apply({ truncateFrom, snapshot, compactTo, entries, hardState }: LogWrite): void {
    const { index: first } = this.#offset;
    if (truncateFrom !== undefined) this.#entries.splice(truncateFrom - first - 1);
    if (snapshot !== undefined) this.#takeOver(snapshot);
    if (compactTo !== undefined) {
      this.#entries.splice(0, compactTo.index - first);
      this.#offset = compactTo;
    }
    for (const entry of entries) this.#entries.push(entry);
    if (hardState !== undefined) this.#hardState = hardState;
  }

  #takeOver(snapshot: Snapshot): void {
    const previous = this.#snapshot;
    if (previous !== null && isAt(previous, snapshot)) return;
    if (!this.#stored.some((other) => isAt(other.snapshot, snapshot))) {
      this.#stored.push({ snapshot, data: new Uint8Array(0) });
    }
    this.#stored = this.#stored
      .map((other) => (isAt(other.snapshot, snapshot) ? { ...other, snapshot } : other))
      .filter((other) => other.snapshot === previous || other.snapshot.index >= snapshot.index);
    this.#snapshot = snapshot;
  }
}

function isAt(snapshot: Snapshot, { index, term }: LogPosition): boolean {
  return snapshot.index === index && snapshot.term === term;
}

/** What no chunk wrote is 0. */
function joined(chunks: readonly Chunk[]): Uint8Array {
  const bytes = Math.max(0, ...chunks.map(({ offset, data }) => offset + data.length));
  const whole = new Uint8Array(bytes);
  for (const { offset, data } of chunks) whole.set(data, offset);
  return whole;
}
