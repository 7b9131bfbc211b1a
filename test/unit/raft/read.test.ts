// ReadIndex: what a read waits for, and what must never confirm it.

import { describe, expect, test } from "@jest/globals";
import type { ReadIndexResult } from "../../../raft/message.ts";
import { ack, append, messages, of, RaftBench } from "../../support/raft-bench.ts";

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
    const { leading } = bench.node;
    if (leading === null) throw new Error("it leads");
    let looks = 0;
    leading.reads = new Proxy(leading.reads, {
      get: (reads, property) => {
        if (/^\d+$/.test(String(property))) looks += 1;
        return Reflect.get(reads, property);
      },
    });
    for (let requestId = 1; requestId <= 10_000; requestId += 1) {
      bench.step({ kind: "read", requestId });
    }
    // When each step looked at all of them, heartbeats had to wait for seconds.
    expect(looks).toBeLessThan(10 * 10_000);
    expect(echo(bench, "n2", 1)).toEqual([1]);
    expect(echo(bench, "n2", 2)).toEqual(Array.from({ length: 9_999 }, (_, at) => at + 2));
  });
});

describe("a follower's read", () => {
  /** Follows n2 in term 1. */
  function following(): RaftBench {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 1 }));
    return bench;
  }

  function result(readId: number, readIndex = 7): ReadIndexResult {
    return { kind: "read-index-result", term: 1, readId, readIndex };
  }

  test("is asked of its leader at once, and answered by it", () => {
    const bench = following();
    expect(bench.step({ kind: "read", requestId: 5 })).toMatchObject([
      { kind: "send", to: "n2", message: { kind: "read-index", term: 1, readId: 5 } },
    ]);
    expect(bench.receive("n2", result(5))).toEqual([
      { kind: "read-ready", requestId: 5, readIndex: 7 },
    ]);
    expect(bench.receive("n2", result(5))).toEqual([]);
  });

  test("is refused by one that knows no leader", () => {
    expect(new RaftBench().step({ kind: "read", requestId: 5 })).toMatchObject([
      { kind: "refused", reason: "not-leader", leader: null },
    ]);
  });

  test("is not answered by one that is not its leader, or of an old term", () => {
    const bench = following();
    bench.step({ kind: "read", requestId: 5 });
    expect(bench.receive("n3", result(5))).toEqual([]);
    expect(bench.receive("n2", { ...result(5), term: 0 })).toEqual([]);
    expect(of("read-ready", bench.receive("n2", result(5)))).toHaveLength(1);
  });

  test("is refused after an election timeout, the oldest first, and an answer is late then", () => {
    const bench = following();
    bench.step({ kind: "read", requestId: 5 });
    bench.nowMs += 400;
    bench.step({ kind: "read", requestId: 6 });
    bench.nowMs += 500;
    bench.receive("n2", append({ term: 1 }));
    expect(of("refused", bench.tick(99))).toEqual([]);
    expect(of("refused", bench.tick(1))).toMatchObject([
      { requestId: 5, reason: "not-leader", leader: "n2" },
    ]);
    expect(bench.receive("n2", result(5))).toEqual([]);
    expect(of("refused", bench.tick(400))).toMatchObject([{ requestId: 6 }]);
    expect(bench.node.forwarded.size).toBe(0);
  });

  test.each([
    ["another leader", 2, "n3"],
    ["the same one of a later term", 2, "n2"],
  ])("is refused as soon as there is %s", (_, term, leader) => {
    const bench = following();
    bench.step({ kind: "read", requestId: 5 });
    const effects = bench.receive(leader, append({ term }));
    expect(of("refused", effects)).toMatchObject([{ requestId: 5, reason: "not-leader" }]);
    expect(bench.receive("n2", result(5))).toEqual([]);
  });

  test("is refused when its node campaigns", () => {
    const bench = following();
    bench.step({ kind: "read", requestId: 5 });
    expect(of("refused", bench.timeOut())).toMatchObject([{ requestId: 5 }]);
  });

  test("is refused when too many wait, and taken again when they do not", () => {
    const bench = following();
    for (let requestId = 0; requestId < 10_000; requestId += 1) {
      bench.step({ kind: "read", requestId });
    }
    expect(bench.step({ kind: "read", requestId: 10_000 })).toMatchObject([
      { requestId: 10_000, reason: "overloaded" },
    ]);
    bench.receive("n2", result(0));
    expect(messages(bench.step({ kind: "read", requestId: 10_001 }))).toHaveLength(1);
  });

  test("waits at the leader like its own, and is answered there by a message", () => {
    const bench = reading();
    const started = bench.receive("n3", { kind: "read-index", term: 1, readId: 5 });
    expect(messages(started)).toMatchObject([{ round: 1 }, { round: 1 }]);
    const effects = bench.receive("n2", ack({ term: 1, matchIndex: 1, round: 1 }));
    expect(of("send", effects)).toMatchObject([
      { to: "n3", message: { kind: "read-index-result", term: 1, readId: 5, readIndex: 1 } },
    ]);
  });

  test("waits at a new leader for its first own entry", () => {
    const bench = new RaftBench();
    bench.lead();
    expect(bench.receive("n3", { kind: "read-index", term: 1, readId: 5 })).toEqual([]);
    bench.receive("n2", ack({ term: 1, matchIndex: 1 }));
    const effects = bench.receive("n2", ack({ term: 1, matchIndex: 1, round: 1 }));
    expect(messages(effects)).toMatchObject([{ kind: "read-index-result", readIndex: 1 }]);
  });

  test("is not heard by one that does not lead, nor by a leader with too many", () => {
    const asked = { kind: "read-index", term: 1, readId: 5 } as const;
    expect(following().receive("n3", asked)).toEqual([]);
    const bench = reading();
    for (let requestId = 0; requestId < 10_000; requestId += 1) {
      bench.step({ kind: "read", requestId });
    }
    bench.receive("n3", asked);
    expect(bench.node.leading?.reads).toHaveLength(10_000);
  });

  test("is not told when its leader is deposed: it is told of the next one", () => {
    const bench = reading();
    bench.receive("n3", { kind: "read-index", term: 1, readId: 5 });
    bench.step({ kind: "read", requestId: 6 });
    const effects = bench.tick(2000);
    expect(of("refused", effects)).toMatchObject([{ requestId: 6 }]);
    expect(of("send", effects)).toEqual([]);
  });
});
