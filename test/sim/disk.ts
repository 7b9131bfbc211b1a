// One machine's disk: writes that become durable late, in order, or never.
//
//   persist ──▶ pending ── drawn latency, in order ──▶ store ──▶ "durable"
//                  │ crash: a prefix survives             │ EIO, ENOSPC: "failed", poisoned
//
// Guarantees: what a node was told is durable survives every crash; what it was not told may have.
// Several writes in flight finish in the order in which they were asked, and may finish together.
// A poisoned disk completes nothing more until it is opened again.
// Does not own: what is in a store (store.ts), nor who asks (host.ts).

import { crc32 } from "node:zlib";
import type { LogPosition, Snapshot } from "../../raft/message.ts";
import type { Sim } from "./sim.ts";
import type { Persist, Store } from "./store.ts";

export interface DiskListener {
  durable(write: Persist): void;
  failed(): void;
}

interface Pending {
  readonly write: Persist;
  readonly bytes: Uint8Array | null;
}

interface Staging {
  readonly place: LogPosition;
  bytes: Uint8Array;
  isVerified: boolean;
}

export class Disk {
  store: Store;
  /** Latencies are multiplied by this while the disk is slow. */
  slowness = 1;
  /** No write finishes before; a controller that retries. */
  stalledUntilMs = 0;
  isFull = false;
  failsNext = false;
  readonly #sim: Sim;
  #listener: DiskListener | null = null;
  #pending: Pending[] = [];
  #lastAtMs = 0;
  #life = 0;
  /** Rises when latencies are drawn anew: those drawn before do not count. */
  #drawn = 0;
  #taken: { readonly snapshot: Snapshot; readonly bytes: Uint8Array }[] = [];
  #staging: Staging | null = null;

  constructor(sim: Sim, store: Store) {
    this.#sim = sim;
    this.store = store;
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** A new life of the node reads it. */
  open(listener: DiskListener): void {
    this.#life += 1;
    this.#listener = listener;
    this.#lastAtMs = this.#sim.scheduler.nowMs;
    this.store.incarnation += 1;
  }

  persist(write: Persist): void {
    const bytes = write.snapshot === undefined ? null : this.#bytesOf(write.snapshot);
    this.#pending.push({ write, bytes });
    this.#schedule();
  }

  /** A sound disk from now on, also for what is under way: a slow write may have seconds left. */
  heal(): void {
    this.slowness = 1;
    this.stalledUntilMs = 0;
    this.isFull = false;
    this.failsNext = false;
    this.#drawn += 1;
    this.#lastAtMs = this.#sim.scheduler.nowMs;
    for (const _ of this.#pending) this.#schedule();
  }

  #schedule(): void {
    this.#lastAtMs = Math.max(this.#lastAtMs, this.#doneAtMs());
    this.#finishAt(this.#lastAtMs);
  }

  #finishAt(atMs: number): void {
    const [life, drawn] = [this.#life, this.#drawn];
    this.#sim.scheduler.at(atMs, () => {
      if (life === this.#life && drawn === this.#drawn) this.#finish();
    });
  }

  #doneAtMs(): number {
    const { scheduler, random } = this.#sim;
    const [min, max] = this.#sim.persistMs;
    const doneMs = scheduler.nowMs + random.disk.between(min, max) * this.slowness;
    return Math.max(doneMs, this.stalledUntilMs);
  }

  #finish(): void {
    const { scheduler, tally } = this.#sim;
    if (scheduler.nowMs < this.stalledUntilMs) {
      this.#finishAt(this.stalledUntilMs);
      return;
    }
    if (this.failsNext || this.isFull) {
      tally.add(this.isFull ? "disk.write-refused" : "disk.write-failed");
      this.failsNext = false;
      const listener = this.#listener;
      this.crash();
      listener?.failed();
      return;
    }
    const next = this.#pending.shift();
    if (next === undefined) throw new Error("a completion without a write");
    this.#apply(next);
    this.#listener?.durable(next.write);
  }

  #apply({ write, bytes }: Pending): void {
    const { cut, compacted } = this.store.write(write, bytes);
    this.#sim.checker.written(this.store, write, cut, compacted);
  }

  /** The power goes, or the process: of what is pending a prefix survives. */
  crash(): void {
    const { random, tally } = this.#sim;
    const pending = this.#pending;
    this.#pending = [];
    this.#life += 1;
    this.#listener = null;
    this.#taken = [];
    this.#staging = null;
    if (pending.length === 0) return;
    let survivors = pending.length;
    if (random.disk.chance(this.#sim.rate("lost-write"))) {
      survivors = random.disk.whole(0, pending.length - 1);
      tally.add("fault.lost-write", pending.length - survivors);
    } else if (random.disk.chance(this.#sim.rate("torn-tail"))) {
      survivors = pending.length - 1;
      tally.add("fault.torn-tail");
    }
    for (const write of pending.slice(0, survivors)) this.#apply(write);
  }

  /** Of a snapshot taken here: calls back when its bytes are durable. */
  take(snapshot: Snapshot, bytes: Uint8Array, done: () => void): void {
    this.#later(() => {
      this.#taken.push({ snapshot, bytes });
      done();
    });
  }

  stage(place: LogPosition, total: number, offset: number, data: Uint8Array): void {
    const { random, tally } = this.#sim;
    let staging = this.#staging;
    const isSame = staging?.place.index === place.index && staging.place.term === place.term;
    if (staging === null || !isSame) {
      staging = { place, bytes: new Uint8Array(total), isVerified: false };
      this.#staging = staging;
    }
    staging.bytes.set(data.subarray(0, Math.max(0, total - offset)), offset);
    if (data.length > 0 && random.disk.chance(this.#sim.rate("staged-flip"))) {
      tally.add("fault.staged-flip");
      staging.bytes[offset] = (staging.bytes[offset] ?? 0) ^ 0x10;
    }
  }

  verify(snapshot: Snapshot, done: (isSound: boolean) => void): void {
    this.#later(() => {
      const staging = this.#staging;
      const isSame = staging?.place.index === snapshot.index;
      const isSound =
        (isSame &&
          staging.bytes.length === snapshot.bytes &&
          crc32(staging.bytes) === snapshot.checksum) ||
        snapshot.bytes === 0;
      if (isSound && staging !== null) staging.isVerified = true;
      // What is not sound is fetched anew, from the first byte.
      if (!isSound) this.#staging = null;
      done(isSound);
    });
  }

  #later(happen: () => void): void {
    const life = this.#life;
    this.#sim.scheduler.at(this.#doneAtMs(), () => {
      if (life === this.#life) happen();
    });
  }

  /** The bytes that a write takes over: taken here, or staged and verified. */
  bytesOf(snapshot: Snapshot): Uint8Array {
    return this.#bytesOf(snapshot);
  }

  #bytesOf(snapshot: Snapshot): Uint8Array {
    if (snapshot.bytes === 0) return new Uint8Array();
    const { store } = this;
    for (const one of [...this.#taken, store.snapshot, store.former]) {
      if (one?.snapshot.checksum === snapshot.checksum && one.snapshot.index === snapshot.index) {
        return one.bytes;
      }
    }
    const staging = this.#staging;
    if (staging?.isVerified === true && staging.place.index === snapshot.index) {
      return staging.bytes;
    }
    throw new Error(`the bytes of the snapshot at ${snapshot.index} are not on the disk`);
  }
}
