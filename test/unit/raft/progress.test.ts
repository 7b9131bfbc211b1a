// What a leader knows of a peer: its modes, and that late answers move nothing back.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import * as progressOf from "../../../raft/progress.ts";

function replicating(matchIndex: number, sentUpTo: number): progressOf.Progress {
  const progress = progressOf.createProgress(matchIndex + 1, 0);
  progressOf.noteMatched(progress, matchIndex, 0);
  for (let last = matchIndex + 1; last <= sentUpTo; last += 1) {
    progressOf.noteSent(progress, last, 0);
  }
  return progress;
}

describe("progress", () => {
  test("a probe stays where it is until its own ack, not that of a heartbeat", () => {
    const progress = progressOf.createProgress(5, 0);
    progressOf.noteSent(progress, 7, 0);
    progressOf.noteMatched(progress, 0, 0);
    expect(progress).toMatchObject({ mode: "probe", nextIndex: 5, inflight: [7] });
    expect(progressOf.maySend(progress, 8)).toBe(false);
    progressOf.noteMatched(progress, 7, 0);
    expect(progress).toMatchObject({ mode: "replicate", nextIndex: 8, inflight: [] });
  });

  test("an ack frees all that it covers", () => {
    const progress = replicating(1, 5);
    expect(progress.inflight).toEqual([2, 3, 4, 5]);
    progressOf.noteMatched(progress, 4, 3);
    expect(progress).toMatchObject({ matchIndex: 4, nextIndex: 6, inflight: [5] });
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

  test("whatever comes in whatever order, match never falls and stays below next", () => {
    const events = fc.array(fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 20 })), { maxLength: 60 });
    fc.assert(
      fc.property(events, (list) => {
        const progress = progressOf.createProgress(10, 0);
        for (const [kind, value] of list) {
          const { matchIndex, nextIndex } = progress;
          if (kind === 0 && progressOf.maySend(progress, 4)) {
            progressOf.noteSent(progress, nextIndex + (value % 3), 0);
          }
          if (kind === 1) progressOf.noteMatched(progress, Math.min(value, nextIndex), 0);
          if (kind === 2 && progressOf.isRefusalCurrent(progress, value)) {
            progressOf.noteRefused(progress, value, Math.floor(value / 2));
          }
          if (kind === 3) progressOf.becomeProbe(progress);
          if (kind === 4) progressOf.noteHeard(progress, value, 0);
          expect(progress.matchIndex).toBeGreaterThanOrEqual(matchIndex);
          expect(progress.nextIndex).toBeGreaterThan(progress.matchIndex);
          expect(progress.inflight.length).toBeLessThanOrEqual(4);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
