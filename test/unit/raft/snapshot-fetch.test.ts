// A follower that fetches its leader's snapshot: the window, what gets lost, what is taken over.

import { describe, expect, test } from "@jest/globals";
import { createConfiguration, NO_MEMBERS } from "../../../raft/configuration.ts";
import type { Effect } from "../../../raft/effect.ts";
import type { NodeId, Snapshot } from "../../../raft/message.ts";
import {
  append,
  grant,
  logOf,
  messages,
  of,
  RaftBench,
  snapshotOf,
  terms,
} from "../../support/raft-bench.ts";

const SNAPSHOT = snapshotOf(9, 2);

function offer(bench: RaftBench, snapshot: Snapshot = SNAPSHOT, from = "n2", term = 3): Effect[] {
  return bench.receive(from, { kind: "install-snapshot", term, snapshot, round: 4 });
}

interface Piece {
  readonly from?: NodeId;
  readonly term?: number;
  readonly snapshot?: Snapshot;
  readonly bytes?: number;
}

/** Chunks are of 10 bytes; the last one of 25 bytes has 5. */
function chunk(bench: RaftBench, offset: number, piece: Piece = {}): Effect[] {
  const { from = "n2", term = 3, snapshot = SNAPSHOT } = piece;
  const bytes = piece.bytes ?? Math.min(10, snapshot.bytes - offset);
  const data = new Uint8Array(bytes).fill(offset);
  const { index, term: snapshotTerm } = snapshot;
  return bench.receive(from, { kind: "snapshot-chunk", term, index, snapshotTerm, offset, data });
}

function verified(bench: RaftBench, isSound = true, snapshot: Snapshot = SNAPSHOT): Effect[] {
  return bench.step({ kind: "snapshot-verified", snapshot, isSound });
}

/** Offsets asked for, and of whom. */
function asked(effects: readonly Effect[]): string[] {
  return of("send", effects).flatMap(({ to, message }) =>
    message.kind === "snapshot-request" ? [`${to} ${message.offset}`] : [],
  );
}

function acked(effects: readonly Effect[]): object[] {
  return messages(effects).filter((one) => one.kind === "append-entries-result" && one.success);
}

/** Offered, all chunks staged, to be verified. */
function staged(bench = new RaftBench()): RaftBench {
  offer(bench);
  for (const offset of [0, 10, 20]) chunk(bench, offset);
  return bench;
}

describe("a fetch", () => {
  test("asks for a window of chunks, and for the next one with each that comes", () => {
    const bench = new RaftBench();
    const first = offer(bench);
    expect(asked(first)).toEqual(["n2 0", "n2 10"]);
    expect(messages(first)[0]).toMatchObject({ index: 9, snapshotTerm: 2, bytes: 10, term: 3 });
    const second = chunk(bench, 10);
    expect(of("stage-chunk", second)).toMatchObject([{ offset: 10, snapshot: SNAPSHOT }]);
    expect(asked(second)).toEqual(["n2 20"]);
    expect(asked(chunk(bench, 20))).toEqual([]);
    const last = chunk(bench, 0);
    expect(of("verify", last)).toEqual([{ kind: "verify", snapshot: SNAPSHOT }]);
  });

  test("of one chunk needs no more than one", () => {
    const bench = new RaftBench();
    const small = snapshotOf(9, 2, { bytes: 3 });
    expect(asked(offer(bench, small))).toEqual(["n2 0"]);
    expect(of("verify", chunk(bench, 0, { snapshot: small }))).toHaveLength(1);
  });

  test("changes nothing before it is taken over: term and vote apart", () => {
    const bench = staged();
    expect(bench.node).toMatchObject({ commitIndex: 0, currentTerm: 3 });
    expect(bench.node.log.lastIndex).toBe(0);
    expect(bench.node.snapshot?.index).toBe(0);
  });

  test("asks again, after half an election timeout, for what did not come", () => {
    const bench = new RaftBench();
    offer(bench);
    chunk(bench, 0);
    expect(asked(bench.tick(499))).toEqual([]);
    expect(asked(bench.tick(1))).toEqual(["n2 10", "n2 20"]);
    expect(asked(bench.tick(499))).toEqual([]);
    expect(asked(bench.tick(1))).toEqual(["n2 10", "n2 20"]);
  });

  test("takes each chunk once, and none that it did not ask for", () => {
    const bench = new RaftBench();
    offer(bench);
    expect(chunk(bench, 20)).toEqual([]);
    expect(of("stage-chunk", chunk(bench, 0))).toHaveLength(1);
    expect(chunk(bench, 0)).toEqual([]);
    expect(chunk(bench, 5)).toEqual([]);
    expect(chunk(bench, 30, { bytes: 10 })).toEqual([]);
  });

  test("does not take a chunk of another length, and asks for it again", () => {
    const bench = new RaftBench();
    offer(bench);
    expect(chunk(bench, 0, { bytes: 9 })).toEqual([]);
    expect(chunk(bench, 0, { bytes: 11 })).toEqual([]);
    expect(chunk(bench, 0, { bytes: 0 })).toEqual([]);
    expect(asked(bench.tick(500))).toEqual(["n2 0", "n2 10"]);
  });

  test("does not take a chunk of another snapshot, nor one of an old term", () => {
    const bench = new RaftBench();
    offer(bench);
    expect(chunk(bench, 0, { snapshot: snapshotOf(8, 2) })).toEqual([]);
    expect(chunk(bench, 0, { snapshot: snapshotOf(9, 1) })).toEqual([]);
    expect(chunk(bench, 0, { term: 2 })).toEqual([]);
    expect(of("stage-chunk", chunk(bench, 0))).toHaveLength(1);
  });

  test("that is offered again goes on as it is", () => {
    const bench = new RaftBench();
    offer(bench);
    chunk(bench, 0);
    expect(offer(bench)).toEqual([]);
    expect(asked(chunk(bench, 10))).toEqual([]);
    expect(of("verify", chunk(bench, 20))).toHaveLength(1);
  });

  test("goes on with the next leader, if that has the same one: what is staged is kept", () => {
    const bench = new RaftBench();
    offer(bench);
    chunk(bench, 10);
    // 0 and 20 are under way from n2 when n3 takes over.
    expect(asked(offer(bench, SNAPSHOT, "n3", 4))).toEqual(["n3 0", "n3 20"]);
    chunk(bench, 0, { from: "n3", term: 4 });
    const effects = chunk(bench, 20, { from: "n3", term: 4 });
    expect(of("verify", effects)).toHaveLength(1);
  });

  test.each([
    ["index", snapshotOf(10, 2)],
    ["term", snapshotOf(9, 3)],
    ["length", snapshotOf(9, 2, { bytes: 24 })],
    ["checksum", snapshotOf(9, 2, { checksum: 8 })],
  ])("begins anew when the snapshot offered has another %s", (_, other) => {
    const bench = new RaftBench();
    offer(bench);
    chunk(bench, 0);
    expect(asked(offer(bench, other))).toEqual(["n2 0", "n2 10"]);
  });

  test("is given up when the log has caught up by itself", () => {
    const bench = new RaftBench();
    offer(bench);
    const entries = logOf([1, 1, 1, 1, 1, 1, 1, 2, 2]);
    bench.receive("n2", append({ term: 3, entries, leaderCommit: 9 }));
    expect(asked(bench.tick(600))).toEqual([]);
    expect(bench.node.fetch).toBeNull();
    expect(chunk(bench, 0)).toEqual([]);
  });

  test("is given up by one that is elected", () => {
    const bench = new RaftBench();
    offer(bench);
    bench.campaign();
    bench.flush();
    bench.receive("n2", grant(bench.node.currentTerm));
    expect(bench.node).toMatchObject({ role: "leader", fetch: null });
  });

  test("makes the offerer the leader, and its life a sign of the leader's", () => {
    const bench = new RaftBench();
    bench.nowMs = 900;
    const effects = offer(bench);
    expect(of("role-changed", effects)).toMatchObject([{ leader: "n2", term: 3 }]);
    expect(bench.node).toMatchObject({ leaderHeardMs: 900, isLeaderUnreachable: false });
    expect(bench.node.electionDeadlineMs).toBeGreaterThanOrEqual(1900);
  });

  test("of a leader of an old term is refused, naming the new one", () => {
    const bench = new RaftBench({ hardState: { currentTerm: 5, votedFor: null } });
    const refusal = { term: 5, success: false, round: 0, rejectedIndex: 0 };
    expect(messages(offer(bench))).toMatchObject([refusal]);
    expect(bench.node.fetch).toBeNull();
  });

  test("of two leaders of one term ends the process", () => {
    const bench = new RaftBench();
    offer(bench);
    expect(() => offer(bench, SNAPSHOT, "n3")).toThrow(/^I1\./);
    const leader = new RaftBench();
    leader.lead();
    expect(() => offer(leader, SNAPSHOT, "n2", 1)).toThrow(/^I1\./);
  });
});

describe("a snapshot that brings nothing new", () => {
  test("because all of it is committed here is only acknowledged (TestRestoreIgnoreSnapshot)", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 3, entries: logOf([1, 1, 1]), leaderCommit: 3 }));
    bench.flush();
    const effects = offer(bench, snapshotOf(2, 1));
    expect(effects.map(({ kind }) => kind)).toEqual(["send"]);
    expect(acked(effects)).toMatchObject([{ matchIndex: 3, round: 4, term: 3 }]);
    expect(bench.node.log.lastIndex).toBe(3);
  });

  test("because its last entry is in the log moves the commit index; the log stays (§7)", () => {
    const bench = new RaftBench({ terms: [1, 1, 2, 2, 2] });
    const effects = offer(bench, snapshotOf(4, 2));
    expect(acked(effects)).toMatchObject([{ matchIndex: 4 }]);
    expect(of("apply", effects)[0]?.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
    expect(bench.node).toMatchObject({ commitIndex: 4, fetch: null });
    expect(terms(bench.node)).toEqual([1, 1, 2, 2, 2]);
  });

  test("waits with its ack until what it acknowledges is durable", () => {
    const bench = new RaftBench();
    const received = bench.receive("n2", append({ term: 3, entries: logOf([1, 1, 1]) }));
    const [write] = of("persist", received);
    const effects = offer(bench, snapshotOf(3, 1));
    expect(of("send", effects)).toMatchObject([{ afterWriteId: write?.writeId }]);
  });

  test("ends a fetch that is under way", () => {
    const bench = new RaftBench();
    offer(bench);
    const entries = logOf([1, 1, 1, 1, 1, 1, 1, 2, 2]);
    bench.receive("n2", append({ term: 3, entries }));
    expect(acked(offer(bench))).toMatchObject([{ matchIndex: 9 }]);
    expect(bench.node.fetch).toBeNull();
  });
});

describe("a snapshot that is verified", () => {
  test("takes the place of the whole log, in one write, and is acknowledged after it (§7)", () => {
    const bench = staged(new RaftBench({ terms: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] }));
    const effects = verified(bench);
    const [write] = of("persist", effects);
    expect(write).toMatchObject({
      truncateFrom: 1,
      snapshot: SNAPSHOT,
      compactTo: { index: 9, term: 2 },
      entries: [],
    });
    expect(of("restore", effects)).toEqual([{ kind: "restore", snapshot: SNAPSHOT }]);
    expect(of("send", effects)).toMatchObject([
      { to: "n2", message: { matchIndex: 9, success: true }, afterWriteId: write?.writeId },
    ]);
    expect(bench.node.log).toMatchObject({ firstIndex: 10, lastIndex: 9, lastTerm: 2 });
    expect(bench.node).toMatchObject({ commitIndex: 9, lastApplied: 9, handedIndex: 9 });
  });

  test("brings its configuration, and gives up that of the log that it replaces", () => {
    const bench = new RaftBench();
    const configuration = createConfiguration(["n2", "n3"], ["n1"]);
    const other = snapshotOf(9, 2, { configuration });
    offer(bench, other);
    for (const offset of [0, 10, 20]) chunk(bench, offset, { snapshot: other });
    const effects = verified(bench, true, other);
    expect(of("configuration-changed", effects)).toEqual([
      { kind: "configuration-changed", configuration },
    ]);
  });

  test("and unsound is forgotten: the next offer begins it anew", () => {
    const bench = staged();
    expect(verified(bench, false)).toEqual([]);
    expect(bench.node.commitIndex).toBe(0);
    expect(asked(offer(bench))).toEqual(["n2 0", "n2 10"]);
  });

  test("is waited for, whatever is offered or comes meanwhile", () => {
    const bench = staged();
    expect(offer(bench)).toEqual([]);
    expect(offer(bench, snapshotOf(11, 2))).toEqual([]);
    expect(chunk(bench, 0)).toEqual([]);
    expect(asked(bench.tick(900))).toEqual([]);
    expect(of("restore", verified(bench))).toHaveLength(1);
  });

  test("for the next leader's sake is acknowledged to that one", () => {
    const bench = staged();
    bench.receive("n3", append({ term: 4, prevLogIndex: 20, prevLogTerm: 4, round: 2 }));
    const effects = verified(bench);
    expect(of("send", effects)).toMatchObject([{ to: "n3", message: { term: 4, matchIndex: 9 } }]);
  });

  test("without a leader is taken over without a word", () => {
    const bench = staged();
    bench.timeOut();
    expect(bench.node.role).toBe("pre-candidate");
    const effects = verified(bench);
    expect(of("restore", effects)).toHaveLength(1);
    expect(of("send", effects)).toEqual([]);
  });

  test("is not taken over when the log has passed it meanwhile", () => {
    const bench = staged();
    const entries = logOf([1, 1, 1, 1, 1, 1, 1, 2, 2, 2]);
    bench.receive("n2", append({ term: 3, entries, leaderCommit: 10 }));
    const effects = verified(bench);
    expect(of("restore", effects)).toEqual([]);
    expect(acked(effects)).toMatchObject([{ matchIndex: 10 }]);
    expect(bench.node.log.lastIndex).toBe(10);
  });

  test("but was never asked to be, or is another one, changes nothing", () => {
    expect(verified(new RaftBench())).toEqual([]);
    const bench = new RaftBench();
    offer(bench);
    expect(verified(bench)).toEqual([]);
    const other = staged();
    expect(verified(other, true, snapshotOf(8, 2))).toEqual([]);
  });

  test("is followed by appends behind it", () => {
    const bench = staged();
    verified(bench);
    bench.flush();
    const entries = logOf([3, 3], 10);
    const effects = bench.receive(
      "n2",
      append({ term: 3, prevLogIndex: 9, prevLogTerm: 2, entries, leaderCommit: 10 }),
    );
    expect(acked(effects)).toMatchObject([{ matchIndex: 11 }]);
    expect(of("apply", effects)[0]?.entries.map(({ index }) => index)).toEqual([10]);
  });

  test("voids what the state machine says of the time before", () => {
    const bench = new RaftBench();
    bench.receive("n2", append({ term: 3, entries: logOf([1, 1]), leaderCommit: 2 }));
    staged(bench);
    verified(bench);
    bench.step({ kind: "applied", index: 2 });
    expect(bench.node.lastApplied).toBe(9);
    // Taken of the old state, while the new one was on its way.
    expect(bench.step({ kind: "snapshot-taken", snapshot: snapshotOf(2, 1) })).toEqual([]);
  });
});

describe("a blank node", () => {
  const blank = (): RaftBench => new RaftBench({ snapshot: null });

  test("takes no entries, not even from the first one on, and says that it is blank", () => {
    const bench = blank();
    const effects = bench.receive("n2", append({ term: 3, entries: logOf([1]), round: 6 }));
    expect(messages(effects)).toMatchObject([
      { success: false, conflictIndex: 0, rejectedIndex: 0, round: 6, term: 3 },
    ]);
    expect(bench.node.log.lastIndex).toBe(0);
    expect(bench.node.configuration).toEqual(NO_MEMBERS);
  });

  test("neither votes nor campaigns", () => {
    const bench = blank();
    const request = { kind: "request-vote", lastLogIndex: 9, lastLogTerm: 9 } as const;
    const asking = { ...request, term: 3, preVote: false, transfer: false };
    expect(messages(bench.receive("n2", asking))).toEqual([]);
    expect(messages(bench.receive("n2", { ...asking, preVote: true }))).toEqual([]);
    bench.nowMs = 10_000;
    expect(messages(bench.tick())).toEqual([]);
  });

  test("begins with its leader's snapshot, and is an ordinary member from then on", () => {
    const bench = staged(blank());
    expect(of("persist", verified(bench))).toMatchObject([{ snapshot: SNAPSHOT }]);
    bench.flush();
    expect(bench.node.configuration.voters).toEqual(["n1", "n2", "n3"]);
    const behind = append({ term: 3, prevLogIndex: 9, prevLogTerm: 2, entries: logOf([3], 10) });
    expect(acked(bench.receive("n2", behind))).toMatchObject([{ matchIndex: 10 }]);
  });

  test("founds a cluster with a snapshot of nothing, once", () => {
    const bench = blank();
    const voters = ["n1", "n2", "n3"];
    const effects = bench.step({ kind: "found", voters });
    const snapshot = { index: 0, term: 0, bytes: 0, checksum: 0 };
    expect(of("persist", effects)).toMatchObject([{ snapshot, entries: [] }]);
    expect(bench.node.configuration.voters).toEqual(voters);
    expect(bench.step({ kind: "found", voters: ["n1"] })).toEqual([]);
    const member = new RaftBench({ terms: [1] });
    expect(member.step({ kind: "found", voters: ["n1"] })).toEqual([]);
  });
});
