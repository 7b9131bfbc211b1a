// ReadIndex: what a read waits for, and what must never confirm it.

import { describe, expect, test } from "@jest/globals";
import { ack, messages, of, RaftBench } from "../../support/raft-bench.ts";

function reading(size = 3): RaftBench {
  const bench = new RaftBench({ size });
  bench.lead();
  bench.catchUp();
  return bench;
}

function echo(bench: RaftBench, peer: string, round: number): number[] {
  const effects = bench.receive(peer, ack({ term: 1, matchIndex: 1, round }));
  return of("read-ready", effects).map(({ requestId }) => requestId);
}

describe("ReadIndex", () => {
  test("a read begins a round at once and is ready when a majority has echoed it", () => {
    const bench = reading(5);
    const started = bench.step({ kind: "read", requestId: 1 });
    expect(messages(started)).toMatchObject(new Array(4).fill({ entries: [], round: 1 }));
    expect(echo(bench, "n2", 1)).toEqual([]);
    expect(echo(bench, "n2", 1)).toEqual([]);
    expect(echo(bench, "n3", 1)).toEqual([1]);
  });

  test("reads that come while a round is out share the next one", () => {
    const bench = reading();
    bench.step({ kind: "read", requestId: 1 });
    expect(bench.step({ kind: "read", requestId: 2 })).toEqual([]);
    expect(bench.step({ kind: "read", requestId: 3 })).toEqual([]);
    const effects = bench.receive("n2", ack({ term: 1, matchIndex: 1, round: 1 }));
    expect(of("read-ready", effects)).toMatchObject([{ requestId: 1 }]);
    expect(messages(effects)).toMatchObject([{ round: 2 }, { round: 2 }]);
    expect(echo(bench, "n3", 1)).toEqual([]);
    expect(echo(bench, "n3", 2)).toEqual([2, 3]);
  });

  test("a round that gets lost is made good by the next heartbeats", () => {
    const bench = reading();
    bench.step({ kind: "read", requestId: 1 });
    bench.step({ kind: "read", requestId: 2 });
    bench.tick(100);
    expect(echo(bench, "n2", 2)).toEqual([1, 2]);
  });

  test("a request id used again gets no answer from late echoes", () => {
    const bench = reading();
    bench.step({ kind: "read", requestId: 9 });
    expect(echo(bench, "n2", 1)).toEqual([9]);
    bench.propose("a");
    bench.flush();
    bench.receive("n3", ack({ term: 1, matchIndex: 2, round: 1 }));
    bench.step({ kind: "read", requestId: 9 });
    expect(echo(bench, "n2", 1)).toEqual([]);
    expect(echo(bench, "n3", 1)).toEqual([]);
    const effects = bench.receive("n3", ack({ term: 1, matchIndex: 2, round: 2 }));
    expect(of("read-ready", effects)).toMatchObject([{ requestId: 9, readIndex: 2 }]);
  });

  test("the read index is what was committed when the read came", () => {
    const bench = reading();
    bench.propose("a");
    bench.step({ kind: "read", requestId: 1 });
    bench.flush();
    const effects = bench.receive("n2", ack({ term: 1, matchIndex: 2, round: 1 }));
    expect(bench.node.commitIndex).toBe(2);
    expect(of("read-ready", effects)).toMatchObject([{ readIndex: 1 }]);
  });

  test("a follower refuses, and reads that wait are bounded", () => {
    const follower = new RaftBench();
    expect(follower.step({ kind: "read", requestId: 1 })).toMatchObject([{ reason: "not-leader" }]);
    const bench = reading();
    const refused = Array.from({ length: 10_001 }, (_, place) =>
      of("refused", bench.step({ kind: "read", requestId: place })),
    ).flat();
    expect(refused).toMatchObject([{ requestId: 10_000, reason: "overloaded" }]);
  });

  test("ten thousand that wait cost a step no more than one does", () => {
    const bench = reading();
    const startedMs = performance.now();
    for (let requestId = 1; requestId <= 10_000; requestId += 1) {
      bench.step({ kind: "read", requestId });
    }
    // When each step looked at all of them, this took seconds, and heartbeats had to wait.
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(echo(bench, "n2", 1)).toEqual([1]);
    expect(echo(bench, "n2", 2)).toEqual(Array.from({ length: 9_999 }, (_, at) => at + 2));
  });
});
