// Planted bugs of reads and of leadership transfer.

import type { Mutant } from "../mutant.ts";

const READ = "raft/read.ts";
const TRANSFER = "raft/transfer.ts";

const STALE = ["I14 read-floor", "I14 stale-read", "linearizability violated"];

export const READ_MUTANTS: readonly Mutant[] = [
  {
    name: "read-before-own-term-commit",
    lesson: "L45",
    breaks: "a new leader reads before it has committed an entry of its term",
    edits: [
      {
        file: READ,
        find: "  if (node.commitIndex < leading.termStartIndex) return;\n",
        replace: "",
      },
    ],
    caughtBy: STALE,
  },
  {
    name: "read-without-a-quorum",
    lesson: "L47",
    breaks: "a leader reads without asking whether it still leads",
    edits: [
      {
        file: READ,
        find: "if (read.readIndex === null || read.round > confirmed) break;",
        replace: "if (read.readIndex === null || confirmed < 0) break;",
      },
    ],
    caughtBy: STALE,
  },
  {
    name: "read-by-an-earlier-round",
    lesson: "L46",
    breaks: "echoes of a round that began before the read confirm it",
    edits: [
      {
        file: READ,
        find: "requestId, from: null, round: leading.round + 1, readIndex",
        replace: "requestId, from: null, round: leading.round, readIndex",
      },
    ],
    caughtBy: STALE,
  },
  {
    name: "forwarded-read-by-an-earlier-round",
    lesson: "L46",
    breaks: "echoes of a round that began before a follower's read confirm it",
    edits: [
      {
        file: READ,
        find: "requestId: readId, from, round: leading.round + 1, readIndex",
        replace: "requestId: readId, from, round: leading.round, readIndex",
      },
    ],
    caughtBy: STALE,
    seedsMax: 2000,
    survives:
      "a leader must sleep through its deposition, and be asked by one that missed it as well",
    test: "test/unit/raft/read.test.ts",
  },
  {
    name: "read-by-lease",
    lesson: "L47",
    breaks: "a leader reads as long as it heard a majority within the longest election timeout",
    edits: [
      {
        file: READ,
        find: "  const confirmed = confirmedRound(node, leading);\n",
        replace: `  const heardMs = reachedByMajority(node.configuration, (voter) =>
    voter === node.id ? node.nowMs : (leading.peers.get(voter)?.heardMs ?? 0),
  );
  const isLeased = node.nowMs - heardMs < node.options.electionTimeoutMs.max;
  const confirmed = isLeased ? Number.POSITIVE_INFINITY : confirmedRound(node, leading);
`,
      },
    ],
    caughtBy: STALE,
    seedsMax: 2000,
  },
  {
    name: "follower-reads-at-its-own-commit",
    lesson: "L45",
    breaks: "a follower answers at its own commit index instead of its leader's",
    edits: [
      {
        file: READ,
        find: 'node.outbox.emit({ kind: "read-ready", requestId, readIndex });\n}\n\n/** What was lost',
        replace: `node.outbox.emit({ kind: "read-ready", requestId, readIndex: node.commitIndex + 0 * readIndex });
}

/** What was lost`,
      },
    ],
    caughtBy: STALE,
  },
  {
    name: "follower-reads-without-asking",
    lesson: "L47",
    breaks: "a follower answers without asking its leader",
    edits: [
      {
        file: READ,
        find: '    node.outbox.send(leader, { kind: "read-index", term, readId: requestId }, 0);',
        replace: `    forwarded.delete(requestId);
    node.outbox.emit({ kind: "read-ready", requestId, readIndex: term < 0 ? 0 : node.commitIndex });`,
      },
    ],
    caughtBy: STALE,
  },
  {
    name: "served-before-applied",
    lesson: "L39",
    breaks: "a read is served from a state machine that has not applied its index",
    edits: [
      {
        file: "test/sim/open-calls.ts",
        find: "({ readIndex }) => readIndex <= lastApplied);\n    if",
        replace: "({ readIndex }) => readIndex <= lastApplied + 1000);\n    if",
      },
      {
        file: "test/sim/open-calls.ts",
        find: "({ readIndex }) => readIndex > lastApplied);",
        replace: "({ readIndex }) => readIndex > lastApplied + 1000);",
      },
    ],
    caughtBy: STALE,
  },
  {
    name: "read-id-used-again",
    lesson: "L46",
    breaks: "the ids of a follower's questions begin anew in each of its lives",
    edits: [
      {
        file: "test/sim/life.ts",
        find: "    this.#lastRequestId = this.incarnation * LIFE_REQUESTS_MAX;",
        replace: "    this.#lastRequestId = 0;",
      },
    ],
    caughtBy: STALE,
    seedsMax: 2000,
    survives:
      "the answer to a question of an earlier life has to arrive after the next life asked under " +
      "the same id; that the product never does is in test/unit/transport/open-calls.test.ts",
  },
  {
    name: "lost-read-never-refused",
    lesson: "L50",
    breaks: "a follower's read that got lost is neither answered nor refused",
    edits: [
      {
        file: READ,
        find: "    if (nowMs - askedMs < options.electionTimeoutMs.min) return;",
        replace: "    if (nowMs - askedMs < 1e9 * options.electionTimeoutMs.min) return;",
      },
    ],
    caughtBy: ["I30 read-refused"],
  },
  {
    name: "transfer-never-over",
    lesson: "L55",
    breaks: "a transfer that failed goes on refusing proposals",
    edits: [
      {
        file: TRANSFER,
        find: "    leaderState(node).transfer = null;\n",
        replace: "",
      },
    ],
    caughtBy: ["I22 serves", "I22 membership", "I22 drains"],
  },
  {
    name: "transfer-without-an-end",
    lesson: "L55",
    breaks: "a transfer to a voter that is gone waits for ever",
    edits: [
      {
        file: TRANSFER,
        find: "if (!isPossible || node.nowMs >= transfer.deadlineMs) {",
        replace: "if (!isPossible) {",
      },
    ],
    caughtBy: ["I22 serves", "I22 membership", "I22 drains"],
    seedsMax: 2000,
  },
];
