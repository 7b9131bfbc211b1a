// All that a driver does about snapshots: taking its own, serving it, staging the leader's.
//
// Guarantees: nothing here holds the loop up: bytes move by promises, and what comes of them comes
// back as inputs of the core. Does not own: the parts (snapshot-maker.ts, snapshot-stage.ts), nor
// when one is offered or taken over (raft/).

import type { Ledger } from "../../ledger/ledger.ts";
import type { Effect } from "../../raft/effect.ts";
import type { Input, Untimed } from "../../raft/input.ts";
import type { LogIndex, Message, NodeId, Snapshot } from "../../raft/message.ts";
import type { RaftNode } from "../../raft/node.ts";
import type { LogStore } from "../log-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import { type Made, SnapshotMaker } from "./snapshot-maker.ts";
import { SnapshotStage } from "./snapshot-stage.ts";

/** A thread that cannot build one would be started anew at each heartbeat of who waits for it. */
const WANTED_PAUSE_MS = 1_000;

type Of<Kind extends Effect["kind"]> = Extract<Effect, { kind: Kind }>;

export interface SnapshotDeskOptions {
  readonly store: LogStore;
  readonly node: RaftNode;
  readonly logBytes: number;
  readonly logger: Logger;
  readonly input: (input: Untimed<Input>) => void;
  readonly send: (to: NodeId, message: Message) => void;
  /** The disk failed. */
  readonly onFailure: (cause: unknown) => void;
}

export class SnapshotDesk {
  readonly #options: SnapshotDeskOptions;
  readonly #maker: SnapshotMaker;
  readonly #stage: SnapshotStage;
  #isWanted = false;
  #nextWantedMs = 0;

  constructor(options: SnapshotDeskOptions) {
    this.#options = options;
    const { store, node, logBytes, logger, input, onFailure } = options;
    this.#maker = new SnapshotMaker({
      store,
      node,
      logBytes,
      logger,
      onTaken: (snapshot) => input({ kind: "snapshot-taken", snapshot }),
      onFailure,
    });
    this.#stage = new SnapshotStage({
      store,
      logger,
      onFailure,
      onVerified: (snapshot, isSound) => input({ kind: "snapshot-verified", snapshot, isSound }),
    });
  }

  /** Entries of so many bytes, up to this one. */
  applied(index: LogIndex, bytes: number): void {
    this.#maker.noteApplied(index, bytes);
    this.#maker.advance();
  }

  tick(): void {
    this.#maker.advance();
    // What is sound is taken over in the very step that ends its fetch, or never.
    if (this.#options.node.fetch === null) this.#stage.forget();
  }

  /** Of all that was applied, whose last index this is; null if it was given up. */
  make(index: LogIndex): Promise<Made | null> {
    return this.#maker.make(index);
  }

  /** The same for a checkpoint: also the log is read as it is on the disk, not only in memory. */
  async rebuild(index: LogIndex): Promise<Made | null> {
    const { store, onFailure } = this.#options;
    const made = this.#maker.make(index);
    try {
      await store.check();
    } catch (cause) {
      onFailure(cause);
      return null;
    }
    return made;
  }

  /** A member has nothing to begin with. Asked again and again until there is one. */
  wanted(index: LogIndex): void {
    if (this.#isWanted || index === 0 || performance.now() < this.#nextWantedMs) return;
    this.#isWanted = true;
    void this.#maker.make(index).then(() => {
      this.#isWanted = false;
      this.#nextWantedMs = performance.now() + WANTED_PAUSE_MS;
    });
  }

  carryOut(effect: Of<"load-chunk"> | Of<"stage-chunk"> | Of<"verify">): void {
    switch (effect.kind) {
      case "load-chunk":
        this.#serve(effect);
        break;
      case "stage-chunk":
        this.#stage.stage(effect.snapshot, effect.offset, effect.data);
        break;
      case "verify":
        this.#stage.verify(effect.snapshot);
        break;
    }
  }

  takeLedger(snapshot: Snapshot): Ledger {
    this.#maker.restored();
    return this.#stage.takeLedger(snapshot);
  }

  stop(): Promise<void> {
    return this.#maker.stop();
  }

  #serve({ to, message, bytes }: Of<"load-chunk">): void {
    const { store, send, onFailure } = this.#options;
    const place = { index: message.index, term: message.snapshotTerm };
    store.readSnapshot(place, message.offset, bytes).then((data) => {
      // Gone: the peer is offered the newer one when it gets on no more.
      if (data !== null && data.length > 0) send(to, { ...message, data });
    }, onFailure);
  }
}
