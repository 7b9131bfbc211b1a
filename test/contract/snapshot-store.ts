// What any adapter of transport/log-store.ts must do with snapshots and the log before them; each
// adapter's test file runs it.
//
// Does not own: what differs by adapter: files, damage, kill -9.

import { expect, test } from "@jest/globals";
import type { LogStore } from "../../transport/log-store.ts";
import { entries, entry, plain } from "../support/log-entry.ts";
import {
  foundersSnapshot,
  makeSnapshot,
  readSum,
  stageAndVerify,
  sumOf,
} from "../support/snapshot-bytes.ts";
import type { LogStoreUnderTest } from "./log-store.ts";

const BYTES = 300_000;

export function snapshotStoreContract(subject: () => LogStoreUnderTest): void {
  async function reopened(store: LogStore): Promise<LogStore> {
    await store.close();
    return await subject().open();
  }

  /** A store with entries up to `last` of term 1, and a snapshot of each place taken over. */
  async function withSnapshots(last: number, places: readonly number[]): Promise<LogStore> {
    const store = await subject().open();
    await store.persist({ entries: entries(1, last, 1) });
    for (const index of places) {
      const made = makeSnapshot(index, 1, BYTES);
      expect(await stageAndVerify(store, made)).toBe(true);
      await store.persist({ snapshot: made.snapshot, entries: [] });
    }
    return store;
  }

  test("A snapshot that was taken over is what the next life begins with.", async () => {
    const made = makeSnapshot(7, 1, BYTES);
    const store = await reopened(await withSnapshots(10, [7]));
    expect(store.recovered.snapshot).toEqual(made.snapshot);
    expect(store.recovered.offset).toEqual({ index: 0, term: 0 });
    expect(plain(store.recovered.entries)).toEqual(plain(entries(1, 10, 1)));
    expect(await readSum(store, made.snapshot)).toEqual(sumOf(made.data));
    await store.close();
  });

  test("The founders' snapshot has a configuration, no bytes, and needs no writer.", async () => {
    const before = await subject().open();
    const snapshot = foundersSnapshot();
    await before.persist({ snapshot, entries: [] });
    const store = await reopened(before);
    expect(store.recovered.snapshot).toEqual(snapshot);
    expect(await readSum(store, snapshot)).toEqual({ bytes: 0, checksum: 0 });
    const writer = store.openSnapshotWriter(snapshot);
    expect(await writer.verify(snapshot)).toBe(true);
    await store.close();
  });

  test("Chunks may come in any order and more than once.", async () => {
    const { snapshot, data } = makeSnapshot(0, 1, 1_000);
    const store = await subject().open();
    const writer = store.openSnapshotWriter(snapshot);
    for (const [from, to] of [
      [600, 1_000],
      [0, 300],
      [100, 700],
      [600, 1_000],
    ]) {
      await writer.write(from ?? 0, data.subarray(from, to));
    }
    expect(await writer.verify(snapshot)).toBe(true);
    await store.persist({ snapshot, entries: [] });
    expect(await store.readSnapshot(snapshot, 0, 5_000)).toEqual(data);
    await store.close();
  });

  test("The caller's chunk is still the caller's after a write.", async () => {
    const { snapshot, data } = makeSnapshot(0, 1, 1_000);
    const store = await subject().open();
    const writer = store.openSnapshotWriter(snapshot);
    const written = writer.write(0, data);
    expect(data).toEqual(makeSnapshot(0, 1, 1_000).data);
    const held = new Uint8Array(data);
    data.fill(0);
    await written;
    expect(await writer.verify({ ...snapshot, ...sumOf(held) })).toBe(true);
    await store.close();
  });

  test.each([
    ["of another checksum", { checksum: 1 }],
    ["longer than they are", { bytes: 1_001 }],
    ["shorter than they are", { bytes: 999 }],
    ["of no bytes", { bytes: 0, checksum: 0 }],
  ])("Bytes said to be %s are not sound, and can be staged anew.", async (_what, wrong) => {
    const made = makeSnapshot(0, 1, 1_000);
    const store = await subject().open();
    const snapshot = { ...made.snapshot, ...wrong };
    expect(await stageAndVerify(store, { ...made, snapshot })).toBe(false);
    expect(await stageAndVerify(store, made)).toBe(true);
    await store.persist({ snapshot: made.snapshot, entries: [] });
    expect(await readSum(store, made.snapshot)).toEqual(sumOf(made.data));
    await store.close();
  });

  test("A hole in what was staged is not sound.", async () => {
    const { snapshot, data } = makeSnapshot(0, 1, 1_000);
    const store = await subject().open();
    const writer = store.openSnapshotWriter(snapshot);
    await writer.write(0, data.subarray(0, 400));
    await writer.write(500, data.subarray(500));
    expect(await writer.verify(snapshot)).toBe(false);
    await store.close();
  });

  test("Opening a writer ends the one before: its bytes come to nothing.", async () => {
    const [first, second] = [makeSnapshot(1, 1, BYTES), makeSnapshot(2, 1, BYTES)];
    const store = await subject().open();
    await store.persist({ entries: entries(1, 2, 1) });
    const ended = store.openSnapshotWriter(first.snapshot);
    await ended.write(0, first.data);
    const writer = store.openSnapshotWriter(second.snapshot);
    await writer.write(0, second.data);
    await ended.write(0, first.data);
    expect(await ended.verify(first.snapshot)).toBe(false);
    expect(await writer.verify(second.snapshot)).toBe(true);
    await store.close();
  });

  test("A verified snapshot that was never taken over is gone in the next life.", async () => {
    const [old, late] = [makeSnapshot(3, 1, BYTES), makeSnapshot(5, 1, BYTES)];
    const before = await withSnapshots(10, [3]);
    expect(await stageAndVerify(before, late)).toBe(true);
    const store = await reopened(before);
    expect(store.recovered.snapshot).toEqual(old.snapshot);
    expect(await readSum(store, late.snapshot)).toBeNull();
    expect(await readSum(store, old.snapshot)).toEqual(sumOf(old.data));
    await store.close();
  });

  test("The newest snapshot and the one before it can be read, no older one.", async () => {
    const store = await withSnapshots(10, [3, 5, 8]);
    const sums = [];
    for (const index of [3, 5, 8]) {
      sums.push(await readSum(store, makeSnapshot(index, 1, BYTES).snapshot));
    }
    const [newer, newest] = [makeSnapshot(5, 1, BYTES).data, makeSnapshot(8, 1, BYTES).data];
    expect(sums).toEqual([null, sumOf(newer), sumOf(newest)]);
    expect(await store.readSnapshot({ index: 8, term: 2 }, 0, 1)).toBeNull();
    await store.close();
  });

  test("A later snapshot that is verified already outlives the takeover of an earlier.", async () => {
    const [own, installed] = [makeSnapshot(5, 1, BYTES), makeSnapshot(8, 1, BYTES)];
    const before = await withSnapshots(10, [3]);
    expect(await stageAndVerify(before, own)).toBe(true);
    expect(await stageAndVerify(before, installed)).toBe(true);
    await before.persist({ snapshot: own.snapshot, entries: [] });
    await before.persist({ snapshot: installed.snapshot, entries: [] });
    const store = await reopened(before);
    expect(store.recovered.snapshot).toEqual(installed.snapshot);
    expect(await readSum(store, installed.snapshot)).toEqual(sumOf(installed.data));
    await store.close();
  });

  test("Bytes for the snapshot in force are sound only if they are the same.", async () => {
    const made = makeSnapshot(3, 1, BYTES);
    const before = await withSnapshots(10, [3]);
    const other = made.data.slice().fill(1, 0, 10);
    const differing = { snapshot: { ...made.snapshot, ...sumOf(other) }, data: other };
    expect(await stageAndVerify(before, made)).toBe(true);
    expect(await stageAndVerify(before, differing)).toBe(false);
    const store = await reopened(before);
    expect(store.recovered.snapshot).toEqual(made.snapshot);
    expect(await readSum(store, made.snapshot)).toEqual(sumOf(made.data));
    await store.close();
  });

  test("A read is short at the snapshot's end only, and empty behind it.", async () => {
    const { snapshot, data } = makeSnapshot(3, 1, BYTES);
    const store = await withSnapshots(10, [3]);
    expect(await store.readSnapshot(snapshot, 10, 100)).toEqual(data.subarray(10, 110));
    expect(await store.readSnapshot(snapshot, BYTES - 7, 100)).toEqual(data.subarray(BYTES - 7));
    expect(await store.readSnapshot(snapshot, BYTES, 100)).toEqual(new Uint8Array(0));
    expect(await store.readSnapshot(snapshot, BYTES + 1, 100)).toEqual(new Uint8Array(0));
    await store.close();
  });

  test("Compaction drops the log up to its place, and the log goes on behind it.", async () => {
    const before = await withSnapshots(10, [7]);
    await before.persist({ compactTo: { index: 6, term: 1 }, entries: [entry(11, 2)] });
    await before.persist({ entries: [entry(12, 2)] });
    const store = await reopened(before);
    expect(store.recovered.offset).toEqual({ index: 6, term: 1 });
    const kept = [...entries(7, 10, 1), ...entries(11, 12, 2)];
    expect(plain(store.recovered.entries)).toEqual(plain(kept));
    await store.persist({ truncateFrom: 9, entries: entries(9, 9, 3) });
    const again = await reopened(store);
    expect(plain(again.recovered.entries)).toEqual(plain([...entries(7, 8, 1), entry(9, 3)]));
    await again.close();
  });

  test("Snapshot and compaction of one write are there together.", async () => {
    const { snapshot } = makeSnapshot(8, 1, BYTES);
    const before = await withSnapshots(10, []);
    await stageAndVerify(before, makeSnapshot(8, 1, BYTES));
    await before.persist({ snapshot, compactTo: { index: 8, term: 1 }, entries: [] });
    const store = await reopened(before);
    expect(store.recovered.snapshot).toEqual(snapshot);
    expect(store.recovered.offset).toEqual({ index: 8, term: 1 });
    expect(plain(store.recovered.entries)).toEqual(plain(entries(9, 10, 1)));
    await store.close();
  });

  test("An installed snapshot may lie behind the log's end, with other entries before.", async () => {
    const made = makeSnapshot(50, 4, BYTES);
    const before = await withSnapshots(10, [3]);
    await stageAndVerify(before, made);
    await before.persist({
      truncateFrom: 5,
      snapshot: made.snapshot,
      compactTo: { index: 50, term: 4 },
      entries: entries(51, 53, 4),
      hardState: { currentTerm: 4, votedFor: null },
    });
    const store = await reopened(before);
    expect(store.recovered.snapshot).toEqual(made.snapshot);
    expect(store.recovered.offset).toEqual({ index: 50, term: 4 });
    expect(plain(store.recovered.entries)).toEqual(plain(entries(51, 53, 4)));
    await store.persist({ entries: [entry(54, 4)] });
    await store.close();
  });

  test("An installed snapshot may replace a longer log that differs.", async () => {
    const made = makeSnapshot(6, 4, BYTES);
    const before = await withSnapshots(10, [3]);
    await stageAndVerify(before, made);
    const compactTo = { index: 6, term: 4 };
    const taken = { truncateFrom: 4, snapshot: made.snapshot, compactTo };
    await before.persist({ ...taken, entries: [entry(7, 4)] });
    const store = await reopened(before);
    expect(store.recovered.offset).toEqual(compactTo);
    expect(plain(store.recovered.entries)).toEqual(plain([entry(7, 4)]));
    await store.close();
  });

  test("What would leave a store that cannot be told from a damaged one is our own bug.", async () => {
    const store = await withSnapshots(10, [7]);
    const { snapshot } = makeSnapshot(9, 1, BYTES);
    const compactTo = { index: 8, term: 1 };
    expect(() => store.persist({ snapshot, entries: [] })).toThrow("snapshot 9 is not verified");
    expect(() => store.persist({ compactTo, entries: [] })).toThrow("behind the snapshot 7");
    expect(() => store.persist({ truncateFrom: 7, entries: [] })).toThrow("truncateFrom is 7");
    expect(await stageAndVerify(store, makeSnapshot(5, 1, 10))).toBe(true);
    const older = makeSnapshot(5, 1, 10).snapshot;
    expect(() => store.persist({ snapshot: older, entries: [] })).toThrow("after snapshot 7");
    const far = makeSnapshot(20, 1, 10);
    expect(await stageAndVerify(store, far)).toBe(true);
    expect(() => store.persist({ snapshot: far.snapshot, entries: [] })).toThrow("log ends at 10");
    // Nothing of all that was written.
    const again = await reopened(store);
    expect(again.recovered.snapshot).toEqual(makeSnapshot(7, 1, BYTES).snapshot);
    expect(again.recovered.entries).toHaveLength(10);
    await again.close();
  });

  test("Writes, chunks and reads under way are finished before a store is closed.", async () => {
    const { snapshot, data } = makeSnapshot(7, 1, BYTES);
    const store = await withSnapshots(10, [7]);
    const writer = store.openSnapshotWriter({ index: 9, term: 1 });
    const outcomes = Promise.all([
      store.persist({ entries: entries(11, 300, 1) }),
      writer.write(0, data),
      store.readSnapshot(snapshot, 0, 10),
    ]);
    await store.close();
    expect((await outcomes)[2]).toEqual(data.subarray(0, 10));
    await expect(store.readSnapshot(snapshot, 0, 10)).rejects.toMatchObject({ code: "closed" });
    await expect(writer.write(0, data)).rejects.toMatchObject({ code: "closed" });
  });
}
