// Committed entries on their way into the ledger: order, portions, and what a restore voids.

import { expect, test } from "@jest/globals";
import { createLedger } from "../../../ledger/ledger.ts";
import { entryBytes } from "../../../raft/log.ts";
import { type Entry, EntryKind } from "../../../raft/message.ts";
import { type AppliedEntry, Applier } from "../../../transport/applier.ts";
import { encodeCommand } from "../../../transport/command-codec.ts";
import { REGISTRATION, submission } from "../../support/driver-cluster.ts";

const KIND = encodeCommand({ timeMs: 1, random: 1, body: REGISTRATION });
const JOB = encodeCommand({ timeMs: 2, random: 2, body: submission() });

function entry(index: number, data: Uint8Array, kind: EntryKind = EntryKind.Command): Entry {
  return { index, term: 1, kind, data, traceparent: "" };
}

function applier(lastApplied = 0): { applier: Applier; told: AppliedEntry[] } {
  const told: AppliedEntry[] = [];
  return { applier: new Applier(createLedger(), lastApplied, (one) => told.push(one)), told };
}

test("entries are applied in order, each told with what it brought", () => {
  const { applier: one, told } = applier();
  const entries = [entry(1, new Uint8Array(0), EntryKind.NoOp), entry(2, KIND), entry(3, JOB)];
  one.hand(entries.slice(0, 2));
  one.hand(entries.slice(2));
  expect(one.advance()).toBe(entries.reduce((sum, each) => sum + entryBytes(each), 0));
  expect(told.map(({ entry: { index }, body }) => [index, body?.kind ?? null])).toEqual([
    [1, null],
    [2, "register-kinds"],
    [3, "submit-jobs"],
  ]);
  expect(told[0]).toMatchObject({ result: null, changes: [] });
  expect(told[2]?.changes).toHaveLength(1);
  expect(one.lastApplied).toBe(3);
  expect(one.advance()).toBe(0);
});

test("a long backlog is applied some at a time", () => {
  const { applier: one, told } = applier();
  const noOps = Array.from({ length: 2_500 }, (_, at) =>
    entry(at + 1, new Uint8Array(0), EntryKind.NoOp),
  );
  one.hand(noOps);
  const turns: number[] = [];
  while (one.advance() > 0) turns.push(one.lastApplied);
  expect(turns).toEqual([1_000, 2_000, 2_500]);
  expect(told.map(({ entry: { index } }) => index)).toEqual(noOps.map(({ index }) => index));
});

test("a backlog of large entries is applied fewer at a time, and one always", () => {
  const { applier: one } = applier();
  const kibibytes = [200, 200, 200, 700, 600, 100];
  one.hand(kibibytes.map((size, at) => entry(at + 1, new Uint8Array(size * 1024), EntryKind.NoOp)));
  const turns: number[] = [];
  while (one.advance() > 0) turns.push(one.lastApplied);
  expect(turns).toEqual([2, 3, 4, 5, 6]);
});

test("a restore puts another ledger in place, and what waited is part of it", () => {
  const { applier: one, told } = applier();
  one.hand([entry(1, KIND)]);
  one.advance();
  one.hand([entry(2, JOB), entry(3, JOB)]);
  const restored = createLedger();
  one.restore(restored, 7);
  expect(one.advance()).toBe(0);
  expect([one.ledger, one.lastApplied]).toEqual([restored, 7]);
  one.hand([entry(8, KIND)]);
  one.advance();
  expect(told.map(({ entry: { index } }) => index)).toEqual([1, 8]);
  expect(one.ledger).toBe(restored);
  expect(one.ledger.appliedIndex).toBe(8);
});

test("it goes on behind what a snapshot held", () => {
  const { applier: one } = applier(41);
  expect(one.lastApplied).toBe(41);
  one.hand([entry(42, KIND)]);
  one.advance();
  expect(one.lastApplied).toBe(42);
});
