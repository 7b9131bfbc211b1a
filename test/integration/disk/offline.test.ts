// Looking at a node's store from outside changes nothing, and never gets in a node's way unseen.

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { type OfflineStore, openStoreReadOnly } from "../../../transport/disk/offline.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, plain } from "../../support/log-entry.ts";
import { sumOf } from "../../support/snapshot-bytes.ts";
import {
  FILLED,
  filesOf,
  fill,
  fillAndClose,
  flipBit,
  openStore,
  tamper,
} from "../../support/stored.ts";
import { atEnd } from "../../support/teardown.ts";

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("offline"), "n1");
});

function look(): OfflineStore {
  const store = openStoreReadOnly(directory);
  atEnd(() => store.close());
  return store;
}

function expectFilled(store: OfflineStore): void {
  const { snapshot, data } = FILLED.snapshot;
  expect(store).toMatchObject({
    identity: { cluster: "test", nodeId: "n1" },
    storeId: expect.stringMatching(/^[0-9a-f]{8}$/),
    mayFound: true,
    incarnation: 1,
    hardState: { currentTerm: 2, votedFor: "n1#00000000" },
    snapshot,
    offset: { index: FILLED.offset, term: 1 },
  });
  const slices = Array.from(store.snapshotBytes(), (slice) => Buffer.from(slice));
  expect(sumOf(Buffer.concat(slices))).toEqual(sumOf(data));
  const found = [...store.entries()].flat();
  expect(plain(found)).toEqual(plain(entries(FILLED.offset + 1, FILLED.last, 1)));
}

test("A closed store is read whole, and no file is changed or left.", async () => {
  await fillAndClose(directory);
  const before = filesOf(directory);
  const store = look();
  expectFilled(store);
  store.close();
  expect(filesOf(directory)).toEqual(before);
});

test("So is one whose node was killed, with its write-ahead log.", async () => {
  const killed = join(temporaryFolder("offline"), "n1");
  const store = await fill(directory);
  cpSync(directory, killed, { recursive: true });
  await store.close();
  directory = killed;
  const before = filesOf(directory);
  expect(Object.keys(before)).toContain("raft.sqlite-wal");
  const reading = look();
  expectFilled(reading);
  reading.close();
  expect(filesOf(directory)).toEqual(before);
});

test("A store that a node has open is refused, and the node goes on.", async () => {
  const store = await fill(directory);
  expect(() => look()).toThrow(expect.objectContaining({ code: "in-use" }));
  await store.persist({ entries: entries(21, 30, 1) });
  await store.close();
  const again = await openStore(directory);
  expect(again.recovered.entries).toHaveLength(24);
  await again.close();
});

test("A store that is looked at cannot be opened by a node until that is over.", async () => {
  await fillAndClose(directory);
  const reading = look();
  await expect(openStore(directory)).rejects.toMatchObject({ code: "in-use" });
  reading.close();
  reading.close();
  const store = await openStore(directory);
  expect(store.recovered.incarnation).toBe(2);
  await store.close();
});

test("The founders' snapshot has no bytes, and no snapshot neither.", async () => {
  await (await openStore(directory)).close();
  const reading = look();
  expect(reading.snapshot).toBeNull();
  expect([...reading.snapshotBytes()]).toEqual([]);
  expect([...reading.entries()]).toEqual([]);
});

describe("refusals", () => {
  test("A folder without a store is unusable, and stays without.", () => {
    directory = temporaryFolder("offline");
    expect(() => look()).toThrow(expect.objectContaining({ code: "unusable" }));
    expect(filesOf(directory)).toEqual({});
  });

  test("A damaged snapshot is told at once.", async () => {
    await fillAndClose(directory);
    flipBit(join(directory, "snapshot-10-1.bin"), 1_000);
    expect(() => look()).toThrow(expect.objectContaining({ code: "corrupt" }));
    rmSync(join(directory, "snapshot-10-1.bin"));
    expect(() => look()).toThrow("snapshot-10-1.bin is missing");
  });

  test("A damaged entry is told before it is handed out.", async () => {
    tamper(await fillAndClose(directory), "UPDATE entries SET term = 9 WHERE log_index = 12");
    const store = look();
    expect(() => [...store.entries()]).toThrow("entry 12 does not match its checksum");
    expect(() => [...store.entries()]).toThrow(expect.objectContaining({ code: "corrupt" }));
  });
});
