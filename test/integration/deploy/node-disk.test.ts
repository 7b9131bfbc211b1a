// A node's disk at its start, on real files: what is recovered, and what becomes of damage.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { type NodeDisk, openNodeDisk } from "../../../deploy/node-disk.ts";
import { apply, createLedger, hash, type Ledger } from "../../../ledger/ledger.ts";
import { createConfiguration } from "../../../raft/configuration.ts";
import { EntryKind, type Snapshot } from "../../../raft/message.ts";
import { encodeCommand } from "../../../transport/command-codec.ts";
import { snapshotFilesIn } from "../../../transport/disk/snapshot-folder.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { RECEIPTS_MAX } from "../../../transport/limit.ts";
import type { LogStore } from "../../../transport/log-store.ts";
import { encodeSnapshot } from "../../../transport/snapshot-codec.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { REGISTRATION, submission } from "../../support/driver-cluster.ts";
import { temporaryFolder } from "../../support/folder.ts";

const BODIES = [REGISTRATION, submission(3), submission(2)];
let dataDir = "";

beforeEach(() => {
  dataDir = join(temporaryFolder("node-disk"), "n1");
});

function open(nodeId = "n1"): Promise<NodeDisk> {
  return openNodeDisk({ dataDir, cluster: "test", nodeId, logger: silentLogger() });
}

function ledgerOf(count: number): Ledger {
  const ledger = createLedger({ receiptsMax: RECEIPTS_MAX });
  for (const [at, body] of BODIES.slice(0, count).entries()) {
    apply(ledger, at + 1, { timeMs: 1_000, random: 7, body });
  }
  return ledger;
}

async function takeOver(store: LogStore, index: number, data: Uint8Array): Promise<void> {
  const sum = { bytes: data.length, checksum: crc32(data) };
  const configuration = createConfiguration(["n1#00000001"]);
  const snapshot: Snapshot = { index, term: 1, configuration, ...sum };
  const writer = store.openSnapshotWriter(snapshot);
  await writer.write(0, data);
  expect(await writer.verify(snapshot)).toBe(true);
  await store.persist({ snapshot, entries: [] });
}

/** Closed again, with three entries and a snapshot of the first two. */
async function usedDisk(bytes?: Uint8Array): Promise<{ readonly storeId: string }> {
  const { store } = await open();
  const { storeId } = store.recovered;
  const entries = BODIES.map((body, at) => ({
    index: at + 1,
    term: 1,
    kind: EntryKind.Command,
    data: encodeCommand({ timeMs: 1_000, random: 7, body }),
    traceparent: "",
  }));
  await store.persist({ hardState: { currentTerm: 1, votedFor: "n1#00000001" }, entries });
  await takeOver(store, 2, bytes ?? Buffer.concat([...encodeSnapshot(ledgerOf(2))]));
  await store.close();
  return { storeId };
}

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  writeFileSync(path, bytes);
}

function snapshotPath(): string {
  const [name] = snapshotFilesIn(dataDir);
  if (name === undefined) throw new Error("there is a snapshot");
  return join(dataDir, name);
}

function setAside(): string[] {
  return readdirSync(dataDir).filter((name) => name.startsWith("damaged-"));
}

describe("a disk that is sound", () => {
  test("gives an empty ledger while it is new", async () => {
    const { store, ledger } = await open();
    expect(store.recovered).toMatchObject({ snapshot: null, entries: [], mayFound: true });
    expect(hash(ledger)).toBe(hash(ledgerOf(0)));
    await store.close();
  });

  test("gives the ledger of its snapshot, and the entries behind it", async () => {
    const { storeId } = await usedDisk();
    const { store, ledger } = await open();
    expect(store.recovered).toMatchObject({ storeId, mayFound: true, incarnation: 2 });
    expect(store.recovered.entries.map(({ index }) => index)).toEqual([1, 2, 3]);
    expect(hash(ledger)).toBe(hash(ledgerOf(2)));
    await store.close();
  });
});

describe.each([
  ["the log", () => join(dataDir, LOG_FILE_NAME)],
  ["the snapshot", () => snapshotPath()],
])("a flipped byte in %s", (_what, pathOf) => {
  test("gives another, blank disk that founds nothing, and the damaged files stay", async () => {
    const { storeId } = await usedDisk();
    const path = pathOf();
    flipByte(path);
    const damaged = readFileSync(path);
    const { store, ledger } = await open();
    const { recovered } = store;
    expect(recovered).toMatchObject({ snapshot: null, entries: [], mayFound: false });
    expect(recovered.hardState).toEqual({ currentTerm: 0, votedFor: null });
    expect(recovered.storeId).not.toBe(storeId);
    expect(hash(ledger)).toBe(hash(ledgerOf(0)));
    await store.close();
    const [folder = ""] = setAside();
    const kept = join(dataDir, folder, path.slice(dataDir.length + 1));
    expect(readFileSync(kept).equals(damaged)).toBe(true);
  });

  test("twice keeps both, and the third disk founds nothing either", async () => {
    await usedDisk();
    flipByte(pathOf());
    await usedDisk();
    flipByte(pathOf());
    const { store } = await open();
    expect(store.recovered.mayFound).toBe(false);
    await store.close();
    expect(setAside()).toHaveLength(2);
    const again = await open();
    expect(again.store.recovered).toMatchObject({ mayFound: false, incarnation: 2 });
    await again.store.close();
    expect(setAside()).toHaveLength(2);
  });
});

describe("nothing is set aside", () => {
  test("for a whole snapshot that this version cannot read: the node does not start", async () => {
    const bytes = Buffer.concat([...encodeSnapshot(ledgerOf(2))]);
    const versionAt = "QQLEDGR".length;
    bytes[versionAt] = (bytes[versionAt] ?? 0) + 1;
    await usedDisk(bytes);
    await expect(open()).rejects.toMatchObject({ code: "other-schema" });
    expect(setAside()).toEqual([]);
    // It has let go of the disk, which the right version can open.
    await expect(open()).rejects.toMatchObject({ code: "other-schema" });
  });

  test("when the disk is another node's, or open already", async () => {
    await usedDisk();
    await expect(open("n2")).rejects.toMatchObject({ code: "other-identity" });
    const { store } = await open();
    await expect(open()).rejects.toMatchObject({ code: "in-use" });
    await store.close();
    expect(setAside()).toEqual([]);
  });
});
