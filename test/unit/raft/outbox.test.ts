// What is durable, against a second implementation: a disk that does the writes one by one.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Effect } from "../../../raft/effect.ts";
import type { Entry } from "../../../raft/message.ts";
import { Outbox } from "../../../raft/outbox.ts";
import { entryOf, snapshotOf } from "../../support/raft-bench.ts";

type Persist = Extract<Effect, { kind: "persist" }>;

const HARD_STATE = { currentTerm: 1, votedFor: null };

function persistOf(outbox: Outbox): Persist | null {
  const [first] = outbox.take(HARD_STATE, []);
  return first?.kind === "persist" ? first : null;
}

/** A log in memory and a disk under it: lists of terms by index; "S" stands for compacted. */
class DumbDisk {
  memory: (number | "S")[] = ["S"];
  disk: (number | "S")[] = ["S"];
  readonly writes: Persist[] = [];

  write(): void {
    const write = this.writes.shift();
    if (write === undefined) return;
    const { truncateFrom, compactTo, entries } = write;
    if (truncateFrom !== undefined) this.disk.length = Math.min(this.disk.length, truncateFrom);
    for (let index = 0; index <= (compactTo?.index ?? -1); index += 1) this.disk[index] = "S";
    for (const { term } of entries) this.disk.push(term);
  }

  /** How much of what is in memory now is on the disk, as it is. */
  get durable(): number {
    const parting = this.memory.findIndex(
      (one, index) => one !== "S" && this.disk[index] !== one && this.disk[index] !== "S",
    );
    const last = this.memory.length - 1;
    const shared = parting < 0 ? last : parting - 1;
    return Math.min(shared, this.disk.length - 1);
  }
}

type Act =
  | { readonly kind: "append"; readonly count: number }
  | { readonly kind: "replace"; readonly at: number }
  | { readonly kind: "install"; readonly ahead: number }
  | { readonly kind: "commit"; readonly at: number }
  | { readonly kind: "done" };

const acts = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("replace" as const), at: fc.nat({ max: 20 }) }),
    fc.record({ kind: fc.constant("install" as const), ahead: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant("commit" as const), at: fc.nat({ max: 20 }) }),
    fc.record({ kind: fc.constant("done" as const) }),
  ) as fc.Arbitrary<Act>,
  { maxLength: 40 },
);

describe("the outbox, against a disk that does one write after the other", () => {
  test("never counts as durable what is not, and counts all of it in the end", () => {
    fc.assert(
      fc.property(acts, (list) => {
        const outbox = new Outbox(0);
        const dumb = new DumbDisk();
        let term = 1;
        let commitIndex = 0;
        const asked = (): void => {
          const write = persistOf(outbox);
          if (write !== null) dumb.writes.push(write);
        };
        const append = (count: number): void => {
          const from = dumb.memory.length;
          const entries: Entry[] = Array.from({ length: count }, (_, place) =>
            entryOf(term, from + place),
          );
          outbox.saveEntries(entries);
          for (const entry of entries) dumb.memory.push(entry.term);
        };
        for (const act of list) {
          const last = dumb.memory.length - 1;
          if (act.kind === "append") append(act.count);
          if (act.kind === "replace" && commitIndex < last) {
            // A later leader's entry instead of those from here on.
            const from = Math.max(commitIndex + 1, Math.min(act.at, last));
            term += 1;
            outbox.saveTruncation(from);
            dumb.memory.length = from;
            append(1);
          }
          if (act.kind === "install") {
            const index = commitIndex + act.ahead;
            outbox.saveInstall(snapshotOf(index, term), commitIndex);
            dumb.memory = Array.from({ length: index + 1 }, () => "S" as const);
            commitIndex = index;
          }
          if (act.kind === "commit") commitIndex = Math.max(commitIndex, Math.min(act.at, last));
          if (act.kind === "done") {
            const [write] = dumb.writes;
            dumb.write();
            if (write !== undefined) outbox.persisted(write.writeId);
          }
          asked();
          expect(outbox.durableIndex).toBeLessThanOrEqual(dumb.durable);
          for (let index = 1; index < dumb.memory.length; index += 1) {
            const after = outbox.afterEntries(index);
            if (after === 0) expect(index).toBeLessThanOrEqual(dumb.durable);
            else expect(dumb.writes.map(({ writeId }) => writeId)).toContain(after);
          }
        }
        const rest = dumb.writes.at(-1)?.writeId ?? 0;
        while (dumb.writes.length > 0) dumb.write();
        outbox.persisted(rest);
        expect(outbox.durableIndex).toBe(dumb.memory.length - 1);
        expect(dumb.durable).toBe(dumb.memory.length - 1);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the outbox", () => {
  test("makes one write of all that a step asks for, and names it to who must wait", () => {
    const outbox = new Outbox(0);
    outbox.saveHardState();
    outbox.saveEntries([entryOf(1, 1)]);
    outbox.saveEntries([entryOf(1, 2)]);
    expect(persistOf(outbox)).toMatchObject({
      writeId: 1,
      hardState: HARD_STATE,
      entries: [{ index: 1 }, { index: 2 }],
    });
    expect([outbox.afterHardState(), outbox.afterEntries(1), outbox.afterEntries(2)]).toEqual([
      1, 1, 1,
    ]);
    outbox.persisted(1);
    expect([outbox.afterHardState(), outbox.afterEntries(2)]).toEqual([0, 0]);
    expect(outbox.durableIndex).toBe(2);
  });

  test("leaves out of a write what it is not about", () => {
    const outbox = new Outbox(0);
    outbox.saveEntries([entryOf(1, 1)]);
    expect(persistOf(outbox)).toEqual({ kind: "persist", writeId: 1, entries: [entryOf(1, 1)] });
    outbox.saveSnapshot(snapshotOf(1, 1), null);
    expect(persistOf(outbox)).toEqual({
      kind: "persist",
      writeId: 2,
      snapshot: snapshotOf(1, 1),
      entries: [],
    });
    expect(outbox.take(HARD_STATE, [])).toEqual([]);
  });

  test("an ack of durable entries waits for a term that is not durable yet", () => {
    const outbox = new Outbox(3);
    outbox.saveHardState();
    persistOf(outbox);
    expect(outbox.afterEntries(2)).toBe(1);
  });

  test("an installed snapshot is durable with its write; of what was before, what was committed is", () => {
    const outbox = new Outbox(8);
    outbox.saveInstall(snapshotOf(12, 3), 6);
    expect(persistOf(outbox)).toMatchObject({
      truncateFrom: 7,
      snapshot: snapshotOf(12, 3),
      compactTo: { index: 12, term: 3 },
    });
    expect(outbox.durableIndex).toBe(6);
    expect([outbox.afterEntries(6), outbox.afterEntries(7), outbox.afterEntries(12)]).toEqual([
      0, 1, 1,
    ]);
    outbox.saveEntries([entryOf(3, 13)]);
    persistOf(outbox);
    expect(outbox.afterEntries(13)).toBe(2);
    outbox.persisted(1);
    expect(outbox.durableIndex).toBe(12);
  });

  test("a write that an install has overtaken proves no more than was committed", () => {
    const outbox = new Outbox(2);
    outbox.saveEntries([entryOf(1, 3), entryOf(1, 4)]);
    persistOf(outbox);
    outbox.saveInstall(snapshotOf(9, 3), 3);
    persistOf(outbox);
    outbox.persisted(1);
    expect(outbox.durableIndex).toBe(3);
    outbox.persisted(2);
    expect(outbox.durableIndex).toBe(9);
  });

  test("completions come late or twice, never of what was not asked", () => {
    const outbox = new Outbox(0);
    outbox.saveEntries([entryOf(1, 1)]);
    persistOf(outbox);
    outbox.saveEntries([entryOf(1, 2)]);
    persistOf(outbox);
    outbox.persisted(2);
    outbox.persisted(1);
    expect(outbox.durableIndex).toBe(2);
    expect(() => outbox.persisted(3)).toThrow(/^I15\./);
  });

  test("a truncation or a snapshot behind entries of the same step ends the process", () => {
    const cut = new Outbox(0);
    cut.saveEntries([entryOf(1, 1)]);
    expect(() => cut.saveTruncation(1)).toThrow(/^I15\./);
    const install = new Outbox(0);
    install.saveEntries([entryOf(1, 1)]);
    expect(() => install.saveInstall(snapshotOf(5, 1), 0)).toThrow(/^I15\./);
  });

  test("an ack of an entry that is in no write ends the process", () => {
    expect(() => new Outbox(0).afterEntries(1)).toThrow(/^I15\./);
  });
});
