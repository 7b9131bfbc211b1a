// One node's files checked without the node: what is reported, and what is called damage.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type CheckedStore, type CheckOutcome, checkLedger } from "../../../deploy/ledger-check.ts";
import type { CommandBody } from "../../../ledger/command.ts";
import { apply, createLedger, hash, type Ledger } from "../../../ledger/ledger.ts";
import { createConfiguration, encodeConfiguration } from "../../../raft/configuration.ts";
import { type Entry, EntryKind, type Snapshot } from "../../../raft/message.ts";
import { decodeCommand, encodeCommand } from "../../../transport/command-codec.ts";
import { StoreError } from "../../../transport/disk/store-error.ts";
import { encodeSnapshot } from "../../../transport/snapshot-codec.ts";
import { kindOf, specOf } from "../ledger/world.ts";

const CONFIGURATION = createConfiguration(["n1#00000001"]);
const KIND: CommandBody = { kind: "register-kinds", kinds: [kindOf()] };

function submission(idempotencyKey: string): CommandBody {
  return { kind: "submit-jobs", jobs: [specOf({ idempotencyKey })] };
}

function command(index: number, body: CommandBody, term = 1): Entry {
  const data = encodeCommand({ timeMs: index, random: index, body });
  return { index, term, kind: EntryKind.Command, data, traceparent: "" };
}

/** A log of `count` entries: the kind, a configuration, then submissions, some of them the same. */
function logOf(count: number): Entry[] {
  const data = encodeConfiguration(CONFIGURATION);
  const all = [
    command(1, KIND),
    { index: 2, term: 1, kind: EntryKind.Configuration, data, traceparent: "" },
    ...Array.from({ length: count }, (_, i) => command(i + 3, submission(`k${i % 7}`))),
  ];
  return all.slice(0, count);
}

function ledgerOf(entries: readonly Entry[]): Ledger {
  const ledger = createLedger();
  for (const { kind, index, data } of entries) {
    if (kind === EntryKind.Command) apply(ledger, index, decodeCommand(data));
  }
  return ledger;
}

/** Files with a snapshot up to `snapshotIndex`, and the log behind `offsetIndex`. */
function storeOf(log: readonly Entry[], snapshotIndex = 0, offsetIndex = 0): CheckedStore {
  const ledger = ledgerOf(log.filter(({ index }) => index <= snapshotIndex));
  const bytes = Buffer.concat([...encodeSnapshot(ledger)]);
  const term = offsetIndex === 0 ? 0 : 1;
  const snapshot: Snapshot = {
    ...{ index: snapshotIndex, term: 1, configuration: CONFIGURATION },
    ...{ bytes: bytes.byteLength, checksum: 0 },
  };
  return {
    snapshot: snapshotIndex === 0 ? null : snapshot,
    offset: { index: offsetIndex, term },
    *snapshotBytes() {
      for (let at = 0; at < bytes.byteLength; at += 100) yield bytes.subarray(at, at + 100);
    },
    *entries() {
      for (const entry of log) if (entry.index > offsetIndex) yield [entry];
    },
  };
}

function hashOf(outcome: CheckOutcome): string | null {
  return outcome.kind === "sound" ? outcome.report.hash : null;
}

describe("sound files", () => {
  test("are reported with what they give", () => {
    expect(checkLedger(storeOf(logOf(20), 12, 6))).toEqual({
      kind: "sound",
      report: {
        ...{ index: 20, snapshotIndex: 12, entries: 14, applied: 8, unreadable: 0, jobs: 7 },
        hash: hash(ledgerOf(logOf(20))),
      },
    });
  });

  test("of a node that has nothing yet are sound", () => {
    const founders = { ...storeOf([]), snapshot: { ...snapshotAt0(), bytes: 0 } };
    for (const store of [storeOf([]), founders]) {
      expect(checkLedger(store)).toMatchObject({ kind: "sound", report: { index: 0, jobs: 0 } });
    }
  });

  test("give the same hash wherever the snapshot is and the log begins, up to any index", () => {
    const cuts = fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30)).map((three) => three.sort(byValue));
    fc.assert(
      fc.property(cuts, fc.nat(4), ([offset, snapshot, to], more) => {
        const log = logOf(to + more);
        const wanted = hash(ledgerOf(log.slice(0, to)));
        expect(hashOf(checkLedger(storeOf(log, snapshot, offset), to))).toBe(wanted);
      }),
    );
  });

  test("with commands of another version say how many", () => {
    const strange = { ...command(2, KIND), data: Buffer.from([0xff]) };
    expect(checkLedger(storeOf([command(1, KIND), strange]))).toMatchObject({
      kind: "sound",
      report: { index: 2, unreadable: 1 },
    });
  });

  test("cannot give what they begin behind, or do not reach", () => {
    const store = storeOf(logOf(20), 12, 6);
    const elsewhere = { kind: "elsewhere", firstIndex: 12, lastIndex: 20 };
    expect(checkLedger(store, 11)).toEqual(elsewhere);
    expect(checkLedger(store, 21)).toEqual(elsewhere);
    expect(hashOf(checkLedger(store, 12))).toBe(hash(ledgerOf(logOf(12))));
  });
});

describe("damage", () => {
  test.each<[string, () => CheckedStore, RegExp]>([
    ["a hole in the log", () => storeOf(logOf(9).toSpliced(4, 1)), /entry 5 is missing/],
    ["a hole behind the snapshot", () => storeOf(logOf(9), 2, 5), /entries 3 to 5 are missing/],
    [
      "a term that falls",
      () => storeOf([command(1, KIND, 3), command(2, KIND, 2)]),
      /entry 2 is of an older term/,
    ],
    [
      "a configuration that is none",
      () => storeOf([{ ...command(1, KIND), kind: EntryKind.Configuration }]),
      /entry 1 is no configuration/,
    ],
    [
      "a snapshot that is cut",
      () => ({ ...storeOf(logOf(9), 5), snapshotBytes: () => [Buffer.from("QQLEDGR\x02")] }),
      /snapshot up to entry 5 cannot be restored: cut-short/,
    ],
    [
      "a snapshot of something else",
      () => ({ ...storeOf(logOf(9), 5), snapshotBytes: () => [Buffer.alloc(4_000)] }),
      /cannot be restored: not-a-snapshot/,
    ],
    [
      "a snapshot of more than it stands for",
      () => ({ ...storeOf(logOf(9), 5), snapshotBytes: storeOf(logOf(9), 8).snapshotBytes }),
      /holds entry 8/,
    ],
    ["what the store cannot read", () => unreadable("corrupt"), /a row is not what was written/],
  ])("is %s, and named", (_what, store, problem) => {
    expect(checkLedger(store())).toEqual({
      kind: "damaged",
      problem: expect.stringMatching(problem),
    });
  });

  test("behind the entry that the check stops at is damage all the same", () => {
    expect(checkLedger(storeOf(logOf(9).toSpliced(7, 1)), 3).kind).toBe("damaged");
  });

  test("is not what another failure of the store is taken for", () => {
    expect(() => checkLedger(unreadable("unusable"))).toThrow(StoreError);
  });
});

function unreadable(code: StoreError["code"]): CheckedStore {
  return {
    ...storeOf([]),
    entries: () => {
      throw new StoreError(code, "a row is not what was written");
    },
  };
}

function snapshotAt0(): Snapshot {
  return { index: 0, term: 0, configuration: CONFIGURATION, bytes: 0, checksum: 0 };
}

function byValue(one: number, other: number): number {
  return one - other;
}
