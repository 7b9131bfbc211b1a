// What a leader knows of a peer: its modes, and that late answers move nothing back.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import * as progressOf from "../../../raft/progress.ts";
import { snapshotOf } from "../../support/raft-bench.ts";

const WINDOW = { inflightMax: 4, inflightBytesMax: 100 };

function lastIndexes({ inflight }: progressOf.Progress): number[] {
  return inflight.map(({ lastIndex }) => lastIndex);
}

function replicating(matchIndex: number, sentUpTo: number): progressOf.Progress {
  const progress = progressOf.createProgress(matchIndex + 1, 0);
  progressOf.noteMatched(progress, matchIndex, 0);
  for (let last = matchIndex + 1; last <= sentUpTo; last += 1) {
    progressOf.noteSent(progress, last, 1, 0);
  }
  return progress;
}

describe("progress", () => {
  test("a probe stays where it is until its own ack, not that of a heartbeat", () => {
    const progress = progressOf.createProgress(5, 0);
    progressOf.noteSent(progress, 7, 1, 0);
    progressOf.noteMatched(progress, 0, 0);
    expect(progress).toMatchObject({ mode: "probe", nextIndex: 5 });
    expect(lastIndexes(progress)).toEqual([7]);
    expect(progressOf.maySend(progress, WINDOW)).toBe(false);
    progressOf.noteMatched(progress, 7, 0);
    expect(progress).toMatchObject({ mode: "replicate", nextIndex: 8, inflight: [] });
  });

  test("an ack frees all that it covers", () => {
    const progress = replicating(1, 5);
    expect(lastIndexes(progress)).toEqual([2, 3, 4, 5]);
    progressOf.noteMatched(progress, 4, 3);
    expect(progress).toMatchObject({ matchIndex: 4, nextIndex: 6, inflightBytes: 1 });
    expect(lastIndexes(progress)).toEqual([5]);
  });

  test("a refusal counts for what is out only", () => {
    const progress = replicating(3, 6);
    expect([3, 4, 6, 7].map((at) => progressOf.isRefusalCurrent(progress, at))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    progressOf.noteRefused(progress, 5, 2);
    expect(progress).toMatchObject({ mode: "probe", nextIndex: 4, inflight: [] });
    expect([2, 3, 4].some((at) => progressOf.isRefusalCurrent(progress, at))).toBe(false);
  });

  test("progress moves the time of waiting on, silence does not", () => {
    const progress = replicating(1, 3);
    expect(progressOf.isOverdue(progress, 199, 200)).toBe(false);
    expect(progressOf.isOverdue(progress, 200, 200)).toBe(true);
    progressOf.noteMatched(progress, 2, 150);
    expect(progressOf.isOverdue(progress, 200, 200)).toBe(false);
    progressOf.noteMatched(progress, 3, 160);
    expect(progressOf.isOverdue(progress, 9999, 200)).toBe(false);
  });

  test("the window is full by bytes as well, and one that alone is larger is let through", () => {
    const progress = replicating(1, 1);
    progressOf.noteSent(progress, 2, 60, 0);
    expect(progressOf.maySend(progress, WINDOW)).toBe(true);
    progressOf.noteSent(progress, 3, 40, 0);
    expect(progress.inflightBytes).toBe(100);
    expect(progressOf.maySend(progress, WINDOW)).toBe(false);
    progressOf.noteMatched(progress, 2, 0);
    expect(progress.inflightBytes).toBe(40);
    expect(progressOf.maySend(progress, WINDOW)).toBe(true);
    progressOf.noteSent(progress, 4, 5000, 0);
    expect(progressOf.maySend(progress, WINDOW)).toBe(false);
    progressOf.becomeProbe(progress);
    expect(progress).toMatchObject({ inflightBytes: 0, nextIndex: 3 });
    expect(progressOf.maySend(progress, WINDOW)).toBe(true);
  });

  test("to one that fetches a snapshot nothing is sent, and its refusals are of the past", () => {
    const progress = replicating(1, 3);
    progressOf.noteOffered(progress, snapshotOf(9, 2), 5);
    expect(progress).toMatchObject({ mode: "snapshot", nextIndex: 10, inflightBytes: 0 });
    expect(lastIndexes(progress)).toEqual([]);
    expect(progressOf.maySend(progress, WINDOW)).toBe(false);
    expect(progressOf.isRefusalCurrent(progress, 9)).toBe(false);
    // An ack that proves less than the snapshot does not end it; the leader decides (snapshot.ts).
    progressOf.noteMatched(progress, 3, 6);
    expect(progress).toMatchObject({ mode: "snapshot", matchIndex: 3, nextIndex: 10 });
    progressOf.noteMatched(progress, 9, 7);
    expect(progress).toMatchObject({ mode: "replicate", offered: null, nextIndex: 10 });
  });

  test("a snapshot offered that is behind what has matched does not move it back", () => {
    const progress = replicating(8, 8);
    progressOf.noteOffered(progress, snapshotOf(5, 1), 0);
    expect(progress).toMatchObject({ matchIndex: 8, nextIndex: 9 });
  });

  test("whatever comes in whatever order, match never falls and stays below next", () => {
    const events = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 20 })), { maxLength: 60 });
    fc.assert(
      fc.property(events, (list) => {
        const progress = progressOf.createProgress(10, 0);
        for (const [kind, value] of list) {
          const { matchIndex, nextIndex } = progress;
          if (kind === 0 && progressOf.maySend(progress, WINDOW)) {
            progressOf.noteSent(progress, nextIndex + (value % 3), 1, 0);
          }
          if (kind === 1) progressOf.noteMatched(progress, Math.min(value, nextIndex), 0);
          if (kind === 2 && progressOf.isRefusalCurrent(progress, value)) {
            progressOf.noteRefused(progress, value, Math.floor(value / 2));
          }
          if (kind === 3) progressOf.becomeProbe(progress);
          if (kind === 4) progressOf.noteHeard(progress, value, 0);
          if (kind === 5) progressOf.noteOffered(progress, snapshotOf(value, 1), 0);
          expect(progress.matchIndex).toBeGreaterThanOrEqual(matchIndex);
          expect(progress.nextIndex).toBeGreaterThan(progress.matchIndex);
          expect(progress.inflight.length).toBeLessThanOrEqual(4);
          const isFetching = progress.mode === "snapshot";
          expect(progress.offered !== null).toBe(isFetching);
          if (isFetching) expect(progress.inflight).toEqual([]);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
