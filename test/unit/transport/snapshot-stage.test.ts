// The leader's snapshot on a follower's disk: what counts as sound, and what is not kept.

import { beforeEach, expect, test } from "@jest/globals";
import { apply, createLedger, hash, type Ledger } from "../../../ledger/ledger.ts";
import type { Snapshot } from "../../../raft/message.ts";
import { SnapshotStage } from "../../../transport/snapshot/snapshot-stage.ts";
import { encodeSnapshot } from "../../../transport/snapshot-codec.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { REGISTRATION, submission } from "../../support/driver-cluster.ts";
import { MemoryLogStore } from "../../support/memory-log-store.ts";
import { CONFIGURATION, foundersSnapshot, sumOf } from "../../support/snapshot-bytes.ts";

const CHUNK_BYTES = 64;
let store: MemoryLogStore;
let stage: SnapshotStage;
let verified: (isSound: boolean) => void;
let failed: (cause: unknown) => void;

beforeEach(() => {
  store = new MemoryLogStore({ snapshot: foundersSnapshot() });
  stage = new SnapshotStage({
    store,
    logger: silentLogger(),
    onVerified: (_snapshot, isSound) => verified(isSound),
    onFailure: (cause) => failed(cause),
  });
});

function ledgerOf(jobs: number): Ledger {
  const ledger = createLedger();
  apply(ledger, 1, { timeMs: 1, random: 1, body: REGISTRATION });
  apply(ledger, 2, { timeMs: 1, random: 2, body: submission(jobs) });
  return ledger;
}

function snapshotOf(data: Uint8Array, index = 2): Snapshot {
  return { index, term: 1, configuration: CONFIGURATION, ...sumOf(data) };
}

/** All chunks, in another order than theirs. */
function stageAll(snapshot: Snapshot, data: Uint8Array): void {
  const offsets: number[] = [];
  for (let at = 0; at < data.length; at += CHUNK_BYTES) offsets.unshift(at);
  for (const at of offsets) stage.stage(snapshot, at, data.subarray(at, at + CHUNK_BYTES));
}

function verdict(snapshot: Snapshot): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verified = resolve;
    failed = reject;
    stage.verify(snapshot);
  });
}

test("whole bytes that are a ledger are sound, and the ledger is handed out once", async () => {
  const data = Buffer.concat([...encodeSnapshot(ledgerOf(9))]);
  const snapshot = snapshotOf(data);
  stageAll(snapshot, data);
  expect(await verdict(snapshot)).toBe(true);
  expect(hash(stage.takeLedger(snapshot))).toBe(hash(ledgerOf(9)));
  expect(() => stage.takeLedger(snapshot)).toThrow("not verified");
});

test.each([
  ["cut short", (data: Buffer) => data.subarray(0, data.length - CHUNK_BYTES)],
  ["changed", (data: Buffer) => data.fill(0, 5, 6)],
])(
  "bytes that came %s are not sound, and the same snapshot can be staged again",
  async (_, damage) => {
    const data = Buffer.concat([...encodeSnapshot(ledgerOf(9))]);
    const snapshot = snapshotOf(data);
    stageAll(snapshot, damage(Buffer.from(data)));
    expect(await verdict(snapshot)).toBe(false);
    const again = { ...snapshot };
    stageAll(again, data);
    expect(await verdict(again)).toBe(true);
  },
);

test("bytes that are whole and no ledger, or one that is ahead of its place, are not sound", async () => {
  const junk = Buffer.alloc(1_000, 7);
  const place = snapshotOf(junk, 3);
  stageAll(place, junk);
  expect(await verdict(place)).toBe(false);
  const data = Buffer.concat([...encodeSnapshot(ledgerOf(1))]);
  const behind = snapshotOf(data, 1);
  stageAll(behind, data);
  expect(await verdict(behind)).toBe(false);
});

test("a ledger whose fetch was given up is not kept", async () => {
  const data = Buffer.concat([...encodeSnapshot(ledgerOf(9))]);
  const snapshot = snapshotOf(data);
  stageAll(snapshot, data);
  await verdict(snapshot);
  stage.forget();
  expect(() => stage.takeLedger(snapshot)).toThrow("not verified");
});

test("a snapshot that begins while another one is checked is the one that is told of", async () => {
  const first = Buffer.concat([...encodeSnapshot(ledgerOf(9))]);
  const second = Buffer.concat([...encodeSnapshot(ledgerOf(5))]);
  const [old, next] = [snapshotOf(first), snapshotOf(second, 4)];
  stageAll(old, first);
  store.hold();
  stage.verify(old);
  stageAll(next, second);
  const outcome = verdict(next);
  store.release();
  expect(await outcome).toBe(true);
  expect(hash(stage.takeLedger(next))).toBe(hash(ledgerOf(5)));
});

test("a disk that fails is told of, even when nobody waits for the bytes any more", async () => {
  const cause = new Error("EIO");
  const told = new Promise((resolve) => {
    failed = resolve;
  });
  store.fail(cause);
  stage.stage(snapshotOf(Buffer.alloc(1)), 0, Buffer.alloc(1));
  stage.forget();
  expect(await told).toBe(cause);
});
