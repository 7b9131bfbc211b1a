// Planted bugs of elections: votes, terms, PreVote, CheckQuorum, stickiness.

import type { Mutant } from "../mutant.ts";

const ELECTION = "raft/election.ts";
const STEP = "raft/step.ts";
const QUORUM = "raft/quorum.ts";

export const ELECTION_MUTANTS: readonly Mutant[] = [
  {
    name: "grant-before-durable",
    lesson: "L1",
    breaks: "a vote is told before it is on the disk",
    edits: [
      {
        file: ELECTION,
        find: "  node.outbox.send(to, message, node.outbox.afterHardState());",
        replace: "  node.outbox.send(to, message, 0);",
      },
    ],
    caughtBy: ["I9 vote-durable", "I9 term-durable"],
  },
  {
    name: "candidacy-before-durable",
    lesson: "L1",
    breaks: "a candidate asks for votes before its own vote and term are on the disk",
    edits: [
      {
        file: ELECTION,
        find: "const afterWriteId = node.outbox.afterHardState();",
        replace: "const afterWriteId = 0;",
      },
    ],
    caughtBy: ["I9 vote-durable", "I9 term-durable"],
  },
  {
    name: "own-vote-before-durable",
    lesson: "L1",
    breaks: "a candidate counts its own vote when any write of its is done",
    edits: [
      {
        file: ELECTION,
        find: "  if (node.outbox.afterHardState() > 0) return;\n",
        replace: "",
      },
    ],
    caughtBy: ["I12 election-quorum", "I1 election-safety", "I6 committed-durable"],
  },
  {
    name: "term-without-its-vote",
    lesson: "L2",
    breaks: "the term is written, the vote that belongs to it is not",
    edits: [
      {
        file: "raft/outbox.ts",
        find: "...(draft.hasHardState ? { hardState } : {}),",
        replace: "...(draft.hasHardState ? { hardState: { ...hardState, votedFor: null } } : {}),",
      },
    ],
    caughtBy: ["I9 vote-durable", "I12 election-quorum"],
  },
  {
    name: "vote-forgotten-at-start",
    lesson: "L2",
    breaks: "a restarted node has its term back, and not its vote",
    edits: [
      {
        file: "raft/node.ts",
        find: "    votedFor,\n    log,",
        replace: "    votedFor: null,\n    log,",
      },
    ],
    caughtBy: ["I8 one-vote", "I1 election-safety"],
    seedsMax: 2000,
  },
  {
    name: "vote-forgotten-on-stepping-down",
    lesson: "L3",
    breaks: "who steps down within its term forgets whom it voted for",
    edits: [
      {
        file: ELECTION,
        find: "    enterTerm(node, term);\n    node.votedFor = null;\n  }",
        replace: "    enterTerm(node, term);\n  }\n  node.votedFor = null;",
      },
    ],
    caughtBy: ["core I8", "I8 one-vote"],
  },
  {
    name: "grants-anybody",
    lesson: "L3",
    breaks: "a node grants its vote to each candidate of a term",
    edits: [
      {
        file: ELECTION,
        find: "const isFree = preVote || node.votedFor === null || node.votedFor === from;",
        replace: "const isFree = true;",
      },
    ],
    caughtBy: ["I9 vote-durable", "I8 one-vote", "I1 election-safety", "core I1"],
  },
  {
    name: "campaigns-in-the-old-term",
    lesson: "L4",
    breaks: "a candidate does not enter a new term",
    edits: [
      {
        file: ELECTION,
        find: "enterTerm(node, node.currentTerm + 1);",
        replace: "enterTerm(node, Math.max(1, node.currentTerm));",
      },
    ],
    caughtBy: ["core I8", "I8 one-vote", "I1 election-safety", "core I1", "I9 vote-durable"],
  },
  {
    name: "term-from-the-log",
    lesson: "L4",
    breaks: "a restarted node takes the term of its last entry for its own",
    edits: [
      {
        file: "raft/node.ts",
        find: "    currentTerm,\n    votedFor,\n    log,",
        replace: "    currentTerm: log.lastTerm,\n    votedFor,\n    log,",
      },
    ],
    caughtBy: ["I8 term-falls", "I8 one-vote"],
  },
  {
    name: "log-compared-by-length",
    lesson: "L5",
    breaks: "a voter compares the lengths of the logs, and not their last terms",
    edits: [
      {
        file: "raft/log.ts",
        find: "    if (lastLogTerm !== this.lastTerm) return lastLogTerm > this.lastTerm;\n",
        replace: "",
      },
    ],
    caughtBy: ["I4 leader-completeness"],
    seedsMax: 2000,
  },
  {
    name: "log-compared-by-term",
    lesson: "L5",
    breaks: "a voter compares the last terms of the logs, and not their lengths",
    edits: [
      {
        file: "raft/log.ts",
        find: "    return lastLogIndex >= this.lastIndex;",
        replace: "    return lastLogIndex >= 0;",
      },
    ],
    caughtBy: ["I4 leader-completeness"],
  },
  {
    name: "grant-counted-twice",
    lesson: "L6",
    breaks: "the second copy of a grant counts as the vote of somebody else",
    edits: [
      {
        file: ELECTION,
        find: "  node.votes.set(from, message.voteGranted || node.votes.get(from) === true);",
        replace: `  const other = node.configuration.voters.find((id) => !node.votes.has(id)) ?? from;
  node.votes.set(node.votes.get(from) === true ? other : from, message.voteGranted);`,
      },
    ],
    caughtBy: ["I25 pre-vote", "I12 election-quorum", "I1 election-safety"],
    seedsMax: 2000,
  },
  {
    name: "strangers-votes-counted",
    lesson: "L7",
    breaks: "votes are counted whoever gives them: learners, who are asked too, and non-members",
    edits: [
      {
        file: ELECTION,
        find: "  if (!isVoter(node.configuration, from)) return;\n",
        replace: "",
      },
      {
        file: ELECTION,
        find: "of votingPeersOf(node.configuration, node.id)",
        replace: "of peersOf(node.configuration, node.id)",
      },
      {
        file: QUORUM,
        find: "  for (const voter of voters) {\n    const vote = votes.get(voter);",
        replace: "  for (const vote of votes.values()) {",
      },
    ],
    caughtBy: ["I25 pre-vote", "I12 election-quorum", "I1 election-safety"],
  },
  {
    name: "half-elects",
    lesson: "L15",
    breaks: "half of an even number of voters elects a leader and commits",
    edits: [
      {
        file: QUORUM,
        find: "return Math.floor(voters.length / 2) + 1;",
        replace: "return Math.ceil(voters.length / 2);",
      },
    ],
    caughtBy: ["I25 pre-vote", "I12 election-quorum", "I6 committed-durable", "I1 election-safety"],
  },
  {
    name: "new-term-stamped-on-old-messages",
    lesson: "L11",
    breaks: "a message carries the term of the moment at which it leaves",
    edits: [
      {
        file: "test/sim/life.ts",
        find: "  #release(to: NodeId, message: Message): void {",
        replace: `  #release(to: NodeId, made: Message): void {
    const message = { ...made, term: this.node.currentTerm };`,
      },
    ],
    caughtBy: ["I9 term-durable", "I9 vote-durable", "core I1", "I12 election-quorum"],
    seedsMax: 2000,
  },
  {
    name: "timeout-now-makes-a-leader",
    lesson: "§3.10",
    breaks: "the heir of a transfer leads without being elected",
    edits: [
      {
        file: ELECTION,
        find: "if (isMeant && isVoter(node.configuration, node.id)) startElection(node, true);",
        replace: `if (!isMeant || !isVoter(node.configuration, node.id)) return;
  startElection(node, true);
  becomeLeader(node);`,
      },
    ],
    caughtBy: ["I12 election-quorum", "I1 election-safety", "I9 term-durable"],
  },
  {
    name: "no-pre-vote",
    lesson: "L52",
    breaks: "a node campaigns without asking first who would vote for it",
    edits: [
      {
        file: ELECTION,
        find: `  if (tally(node.configuration, node.votes) === "won") startElection(node, false);
  else requestVotes(node, true, false);`,
        replace: "  startElection(node, false);",
      },
    ],
    caughtBy: ["I25 pre-vote"],
  },
  {
    name: "no-stickiness",
    lesson: "L52",
    breaks: "who has just heard its leader helps to depose it all the same",
    edits: [
      {
        file: STEP,
        find: "!message.transfer && isLeaderAlive(node)",
        replace: "!message.transfer && isLeaderAlive(node) && node.nowMs < 0",
      },
    ],
    caughtBy: ["I26 stickiness"],
  },
  {
    name: "no-check-quorum",
    lesson: "L54",
    breaks: "a leader that no majority answers goes on leading",
    edits: [
      {
        file: STEP,
        find: "if (isQuorumSilent(node)) becomeFollower(node, node.currentTerm, null);\n      else if",
        replace: "if",
      },
    ],
    caughtBy: ["I27 check-quorum", "I22 leader", "I22 serves"],
  },
  {
    name: "higher-term-of-an-answer-ignored",
    lesson: "§5.1",
    breaks: "a leader overlooks the higher term of a follower that refuses it",
    edits: [
      {
        file: STEP,
        find: "  if (message.term > node.currentTerm) becomeFollower(node, message.term, null);",
        replace: `  if (message.term > node.currentTerm) {
    if (message.kind === "append-entries-result") return;
    becomeFollower(node, message.term, null);
  }`,
      },
    ],
    caughtBy: ["I22 leader", "I22 equal", "I22 serves", "I22 membership", "I27 check-quorum"],
    seedsMax: 2000,
  },
];
