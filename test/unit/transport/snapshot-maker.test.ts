// The maker of snapshots with the real thread, on the core of a sole voter and a disk in memory.

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { apply, createLedger, hash, type Ledger } from "../../../ledger/ledger.ts";
import { createConfiguration } from "../../../raft/configuration.ts";
import { entryBytes } from "../../../raft/log.ts";
import type { Entry, Snapshot } from "../../../raft/message.ts";
import { foundingSnapshot, type RaftNode } from "../../../raft/node.ts";
import { step } from "../../../raft/step.ts";
import { decodeCommand, encodeCommand } from "../../../transport/command-codec.ts";
import { createCore } from "../../../transport/driver-options.ts";
import { RECEIPTS_MAX } from "../../../transport/limit.ts";
import { loadLedger } from "../../../transport/snapshot/ledger-load.ts";
import { SnapshotBuilder } from "../../../transport/snapshot/snapshot-builder.ts";
import { SnapshotMaker } from "../../../transport/snapshot/snapshot-maker.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { REGISTRATION, submission } from "../../support/driver-cluster.ts";
import { MemoryLogStore } from "../../support/memory-log-store.ts";

jest.setTimeout(30_000);

const LOG_BYTES = 4_096;
const TIMING = { electionTimeoutMinMs: 100, electionTimeoutMaxMs: 200, heartbeatIntervalMs: 20 };

let store: MemoryLogStore;
let node: RaftNode;
let maker: SnapshotMaker;
let taken: Snapshot[];
let failures: unknown[];
/** Whether the core is told of a snapshot at once. */
let isTold: boolean;
let onTaken: () => void;
const errors = jest.fn();

function input(one: Parameters<typeof step>[1]): void {
  for (const effect of step(node, one)) {
    const nowMs = performance.now();
    if (effect.kind === "persist") {
      void store.persist(effect);
      input({ kind: "persisted", nowMs, writeId: effect.writeId });
    } else if (effect.kind === "apply") {
      const index = effect.entries.at(-1)?.index ?? 0;
      const bytes = effect.entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      input({ kind: "applied", nowMs, index });
      maker.noteApplied(index, bytes);
    }
  }
}

function tellTaken(snapshot: Snapshot): void {
  input({ kind: "snapshot-taken", nowMs: performance.now(), snapshot });
}

function commit(...data: readonly Uint8Array[]): void {
  const proposals = data.map((one, at) => ({ requestId: at, data: one, traceparent: "" }));
  input({ kind: "proposed", nowMs: performance.now(), proposals });
}

function command(body: CommandBody): Uint8Array {
  return encodeCommand({ timeMs: 1_000, random: 7, body });
}

/** As a second implementation: all entries from the first one, applied in this thread. */
function replayed(toIndex: number): Ledger {
  const ledger = createLedger({ receiptsMax: RECEIPTS_MAX });
  for (const { kind, index, data } of store.entries as readonly Entry[]) {
    if (kind === 1 && index <= toIndex) apply(ledger, index, decodeCommand(data));
  }
  return ledger;
}

beforeEach(() => {
  taken = [];
  failures = [];
  isTold = true;
  onTaken = () => undefined;
  errors.mockClear();
  const snapshot = foundingSnapshot(createConfiguration(["n1"]));
  store = new MemoryLogStore({ snapshot });
  node = createCore({
    store,
    timing: TIMING,
    memberId: "n1",
    seed: 1,
  } as unknown as Parameters<typeof createCore>[0]);
  const logger = silentLogger();
  logger.error = errors;
  maker = new SnapshotMaker({
    store,
    node,
    logBytes: LOG_BYTES,
    logger,
    onTaken: (one) => {
      taken.push(one);
      if (isTold) tellTaken(one);
      onTaken();
    },
    onFailure: (cause) => failures.push(cause),
  });
  input({ kind: "tick", nowMs: performance.now() });
  commit(command(REGISTRATION), command(submission(3)));
});

afterEach(async () => {
  await maker.stop();
  jest.restoreAllMocks();
});

describe("a snapshot", () => {
  test("is the ledger that all entries give, and its bytes are that ledger", async () => {
    const made = await maker.make(node.lastApplied);
    if (made === null) throw new Error("one was made");
    expect(made.hash).toBe(hash(replayed(node.lastApplied)));
    expect(taken).toEqual([made.snapshot]);
    expect(store.snapshot).toEqual(made.snapshot);
    const loaded = await loadLedger(store, made.snapshot);
    expect("ok" in loaded && hash(loaded.ok)).toBe(made.hash);
  });

  test("of the last one and the entries behind it is the same as of all entries", async () => {
    await maker.make(node.lastApplied);
    commit(command(submission(2)), command(submission(5)));
    const made = await maker.make(node.lastApplied);
    expect(made?.snapshot.index).toBe(node.lastApplied);
    expect(made?.hash).toBe(hash(replayed(node.lastApplied)));
  });

  test("where there is one already only tells its hash: nothing is written", async () => {
    const first = await maker.make(node.lastApplied);
    const open = jest.spyOn(store, "openSnapshotWriter");
    const second = await maker.make(node.lastApplied);
    expect(second).toEqual(first);
    expect(open).not.toHaveBeenCalled();
    expect(taken).toHaveLength(1);
  });

  test("that is older than the present one is given up", async () => {
    const before = node.lastApplied;
    commit(command(submission(1)));
    await maker.make(node.lastApplied);
    expect(await maker.make(before)).toBeNull();
  });

  test("is made once for all who ask at the same place", async () => {
    const open = jest.spyOn(store, "openSnapshotWriter");
    const index = node.lastApplied;
    const all = await Promise.all([maker.make(index), maker.make(index), maker.make(index)]);
    expect(new Set(all.map((made) => made?.hash)).size).toBe(1);
    expect(all[0]).not.toBeNull();
    // The first one began when the others were not there yet.
    expect(open.mock.calls.length).toBeLessThanOrEqual(2);
  });

  test("that is asked for while another is made is made of that one, when the core has it", async () => {
    isTold = false;
    const first = maker.make(node.lastApplied);
    commit(command(submission(1)));
    const second = maker.make(node.lastApplied);
    const made = await first;
    if (made === null) throw new Error("one was made");
    maker.advance();
    tellTaken(made.snapshot);
    maker.advance();
    expect((await second)?.hash).toBe(hash(replayed(node.lastApplied)));
  });

  test("is handed to its thread in slices, however large the entries are", async () => {
    const payload = Buffer.from(JSON.stringify("x".repeat(250_000)), "utf8");
    for (let count = 0; count < 12; count += 1) commit(command(submission(1, 0, payload)));
    const slices = jest.spyOn(SnapshotBuilder.prototype, "entries");
    expect(await maker.make(node.lastApplied)).not.toBeNull();
    const bytes = slices.mock.calls.map(([entries]) =>
      entries.reduce((sum, entry) => sum + entryBytes(entry), 0),
    );
    expect(bytes.length).toBeGreaterThan(1);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(1024 * 1024);
  });
});

describe("one that nobody asked for", () => {
  test("is taken when the log has grown by so much, of all that is applied by then", async () => {
    await maker.make(node.lastApplied);
    // The last one is what the next one begins with.
    const begun = jest.spyOn(store, "readSnapshot");
    const payload = Buffer.from(JSON.stringify("x".repeat(LOG_BYTES / 2)), "utf8");
    commit(command(submission(1, 0, payload)));
    maker.advance();
    expect(begun).not.toHaveBeenCalled();
    commit(command(submission(1, 0, payload)));
    const due = node.lastApplied;
    const isTaken = new Promise<void>((resolve) => {
      onTaken = resolve;
    });
    maker.advance();
    commit(command(submission(1)));
    await isTaken;
    expect(taken.map(({ index }) => index)).toEqual([taken[0]?.index, due]);
  });

  test("waits until the log has grown by half of the last one as well", async () => {
    const payload = Buffer.from(JSON.stringify("x".repeat(100_000)), "utf8");
    commit(command(submission(1, 0, payload)));
    await maker.make(node.lastApplied);
    const [{ bytes } = { bytes: 0 }] = taken;
    expect(bytes / 2).toBeGreaterThan(2 * LOG_BYTES);
    const small = Buffer.from(JSON.stringify("x".repeat(LOG_BYTES)), "utf8");
    const begun = jest.spyOn(store, "readSnapshot");
    const half = Math.ceil(bytes / 2 / LOG_BYTES);
    for (let count = 0; count < half - 2; count += 1) {
      commit(command(submission(1, 0, small)));
      maker.advance();
    }
    expect(begun).not.toHaveBeenCalled();
    for (let count = 0; count < 4; count += 1) commit(command(submission(1, 0, small)));
    maker.advance();
    expect(begun).toHaveBeenCalled();
  });
});

describe("a making is given up", () => {
  /** The next read of the disk waits. */
  function holdRead(): { readonly asked: Promise<void>; readonly release: () => void } {
    const asked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const read = store.readSnapshot.bind(store);
    jest.spyOn(store, "readSnapshot").mockImplementationOnce(async (...args) => {
      asked.resolve();
      await gate.promise;
      return await read(...args);
    });
    return { asked: asked.promise, release: () => gate.resolve() };
  }

  test("when the leader's is taken over, and the next one is not kept waiting by it", async () => {
    await maker.make(node.lastApplied);
    commit(command(submission(1)));
    const disk = holdRead();
    const overtaken = maker.make(node.lastApplied);
    await disk.asked;
    node.snapshot = { ...(node.snapshot as Snapshot) };
    maker.restored();
    disk.release();
    expect(await overtaken).toBeNull();
    expect((await maker.make(node.lastApplied))?.hash).toBe(hash(replayed(node.lastApplied)));
    expect(errors).not.toHaveBeenCalled();
  });

  test("when a fetch begins, whose bytes it does not take the writer from", async () => {
    await maker.make(node.lastApplied);
    commit(command(submission(1)));
    const disk = holdRead();
    const overtaken = maker.make(node.lastApplied);
    await disk.asked;
    const snapshot = { ...(taken[0] as Snapshot), index: 1_000 };
    const [asked, staged] = [new Map<number, number>(), new Set<number>()];
    node.fetch = { snapshot, from: "n2", nextChunk: 0, asked, staged, isVerifying: false };
    const open = jest.spyOn(store, "openSnapshotWriter");
    disk.release();
    expect(await overtaken).toBeNull();
    expect(open).not.toHaveBeenCalled();
    const waiting = maker.make(node.lastApplied);
    node.fetch = null;
    maker.advance();
    expect(await waiting).not.toBeNull();
    expect(errors).not.toHaveBeenCalled();
  });

  test("when its thread dies of an entry, and that is told, not thrown", async () => {
    const { entries } = SnapshotBuilder.prototype;
    jest.spyOn(SnapshotBuilder.prototype, "entries").mockImplementationOnce(function (
      this: SnapshotBuilder,
      all,
    ) {
      return entries.call(this, all.toReversed());
    });
    expect(await maker.make(node.lastApplied)).toBeNull();
    expect(errors).toHaveBeenCalledTimes(1);
    expect(failures).toEqual([]);
    expect(await maker.make(node.lastApplied)).not.toBeNull();
  });

  test("when its thread dies between two questions, and the next one is not waited for", async () => {
    const builder = new SnapshotBuilder();
    await builder.stop();
    await expect(builder.next()).rejects.toThrow("has ended");
  });

  test("when what was written is not what is on the disk", async () => {
    const open = store.openSnapshotWriter.bind(store);
    jest.spyOn(store, "openSnapshotWriter").mockImplementationOnce((place) => {
      const writer = open(place);
      return { ...writer, write: (offset, data) => writer.write(offset, data.fill(0)) };
    });
    expect(await maker.make(node.lastApplied)).toBeNull();
    expect(errors).toHaveBeenCalledTimes(1);
    expect(taken).toEqual([]);
    expect(await maker.make(node.lastApplied)).not.toBeNull();
  });

  test("when the disk fails, which is told as that", async () => {
    const cause = new Error("ENOSPC");
    store.fail(cause);
    expect(await maker.make(node.lastApplied)).toBeNull();
    expect(failures).toEqual([cause]);
  });

  test("when the last one is not what was written any more: its disk is damaged", async () => {
    await maker.make(node.lastApplied);
    commit(command(submission(1)));
    const read = store.readSnapshot.bind(store);
    jest.spyOn(store, "readSnapshot").mockImplementation(async (...args) => {
      const slice = await read(...args);
      return slice?.with(slice.length - 1, 0xff) ?? null;
    });
    expect(await maker.make(node.lastApplied)).toBeNull();
    expect(failures).toMatchObject([{ code: "corrupt" }]);
  });

  test("when the node stops, at whatever it is, without a word", async () => {
    const made = maker.make(node.lastApplied);
    commit(command(submission(1)));
    const waiting = maker.make(node.lastApplied);
    await maker.stop();
    expect([await made, await waiting]).toEqual([null, null]);
    expect(await maker.make(node.lastApplied)).toBeNull();
    expect([taken, failures, errors.mock.calls]).toEqual([[], [], []]);
  });
});
