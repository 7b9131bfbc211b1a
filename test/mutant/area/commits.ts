// Planted bugs of replication: what is committed, acknowledged, cut off and sent again.

import type { Mutant } from "../mutant.ts";

const APPEND = "raft/append.ts";
const REPLICATION = "raft/replication.ts";
const PROGRESS = "raft/progress.ts";
const QUORUM = "raft/quorum.ts";

export const COMMIT_MUTANTS: readonly Mutant[] = [
  {
    name: "old-term-committed-by-counting",
    lesson: "L13",
    breaks: "an entry of an earlier term is committed because a majority holds it (Figure 8)",
    edits: [
      {
        file: REPLICATION,
        find: "if (agreed <= node.commitIndex || node.log.termAt(agreed) !== node.currentTerm) return;",
        replace: "if (agreed <= node.commitIndex) return;",
      },
    ],
    caughtBy: ["core I7", "I7 own-term-commit", "I4 leader-completeness"],
  },
  {
    name: "follower-commits-unproved",
    lesson: "L14",
    breaks: "a follower commits up to its last entry, and not up to what the message proved",
    edits: [
      {
        file: APPEND,
        find: "Math.max(node.commitIndex, Math.min(message.leaderCommit, matchIndex));",
        replace: "Math.max(node.commitIndex, Math.min(message.leaderCommit, node.log.lastIndex));",
      },
    ],
    caughtBy: ["I5 committed-differs", "core I13", "I5 apply-committed"],
  },
  {
    name: "quorum-of-the-unsorted",
    lesson: "L15",
    breaks: "the place in the middle is looked up in a list that is not sorted",
    edits: [
      {
        file: QUORUM,
        find: ".sort((left, right) => right - left)",
        replace: "",
      },
    ],
    caughtBy: ["I6 committed-durable", "I14 read-floor"],
  },
  {
    name: "quorum-sorted-as-text",
    lesson: "L15",
    breaks: "indexes are sorted as texts, so that 9 comes behind 10",
    edits: [
      {
        file: QUORUM,
        find: ".sort((left, right) => right - left)",
        replace: ".sort().reverse()",
      },
    ],
    caughtBy: ["I6 committed-durable", "I14 read-floor", "I22 leader", "I22 serves"],
  },
  {
    name: "leader-counts-early",
    lesson: "L16",
    breaks: "a leader counts its own entries before its disk has them",
    edits: [
      {
        file: REPLICATION,
        find: "voter === node.id ? durableIndex : (leading",
        replace: "voter === node.id ? Math.max(durableIndex, node.log.lastIndex) : (leading",
      },
    ],
    caughtBy: ["I6 committed-durable"],
  },
  {
    name: "result-of-an-old-term-counted",
    lesson: "L17",
    breaks: "an acknowledgement of an earlier term counts for the present one",
    edits: [
      {
        file: "raft/step.ts",
        find: "  if (message.term < node.currentTerm) {",
        replace: `  const isOld = message.term < node.currentTerm;
  if (isOld && message.kind !== "append-entries-result") {`,
      },
    ],
    caughtBy: ["core I12", "I6 committed-durable", "I14 read-floor"],
    seedsMax: 2000,
  },
  {
    name: "sent-counts-as-held",
    lesson: "L17",
    breaks: "what was sent to a peer counts as held by it",
    edits: [
      {
        file: PROGRESS,
        find: 'if (progress.mode === "replicate") progress.nextIndex = lastIndex + 1;',
        replace: `if (progress.mode !== "replicate") return;
  progress.nextIndex = lastIndex + 1;
  progress.matchIndex = lastIndex;`,
      },
    ],
    caughtBy: ["I6 committed-durable"],
  },
  {
    name: "removed-leader-counts-itself",
    lesson: "L19",
    breaks: "a leader counts itself, voter or not",
    edits: [
      {
        file: REPLICATION,
        find: "  const agreed = reachedByMajority(node.configuration, (voter) =>",
        replace: `  const voters = [...new Set([...node.configuration.voters, node.id])];
  const agreed = reachedByMajority({ ...node.configuration, voters }, (voter) =>`,
      },
    ],
    caughtBy: ["I6 committed-durable"],
    seedsMax: 2000,
  },
  {
    name: "commit-index-falls",
    lesson: "L20",
    breaks: "a follower takes over a commit index that is lower than its own",
    edits: [
      {
        file: APPEND,
        find: "Math.max(node.commitIndex, Math.min(message.leaderCommit, matchIndex));",
        replace: "Math.min(message.leaderCommit, matchIndex);",
      },
    ],
    caughtBy: ["core I8", "I8 commit-falls", "core I10"],
  },
  {
    name: "shorter-append-truncates",
    lesson: "L21",
    breaks: "an append that the log has already cuts off all that is behind it",
    edits: [
      {
        file: APPEND,
        find: "  if (first === undefined) return;\n",
        replace: `  if (first === undefined) {
    const end = prevLogIndex + entries.length + 1;
    if (entries.length === 0 || end > log.lastIndex || end <= node.commitIndex) return;
    log.truncateFrom(end);
    outbox.saveTruncation(end);
    if (membership.truncate(end)) adoptConfiguration(node);
    return;
  }
`,
      },
    ],
    caughtBy: ["I13 committed-cut", "core I15", "I9 ack-durable", "I4 leader-completeness"],
  },
  {
    name: "old-append-cuts-committed",
    lesson: "L22",
    breaks: "a late append cuts off all that is behind it, committed or not",
    edits: [
      {
        file: APPEND,
        find: "  if (first === undefined) return;\n",
        replace: `  if (first === undefined) {
    const end = prevLogIndex + entries.length + 1;
    if (entries.length === 0 || end > log.lastIndex || end <= compactedIndex) return;
    log.truncateFrom(end);
    outbox.saveTruncation(end);
    return;
  }
`,
      },
    ],
    caughtBy: ["core I15", "core I10", "I13 committed-cut", "core I13", "I9 ack-durable"],
  },
  {
    name: "ack-of-the-whole-log",
    lesson: "L23",
    breaks: "a follower acknowledges all of its log, and not what the message proved",
    edits: [
      {
        file: APPEND,
        find: "  acknowledge(node, from, matchIndex, round);\n}\n\n/** What an answer",
        replace: "  acknowledge(node, from, node.log.lastIndex, round);\n}\n\n/** What an answer",
      },
    ],
    caughtBy: ["I9 ack-proved", "core I12"],
  },
  {
    name: "late-refusal-moves-next-back",
    lesson: "L24",
    breaks: "a refusal that comes late moves the next index behind what is proved",
    edits: [
      {
        file: PROGRESS,
        find: "if (rejectedIndex <= progress.matchIndex || progress",
        replace: "if (progress",
      },
      {
        file: PROGRESS,
        find: "progress.nextIndex = Math.max(progress.matchIndex + 1, nextIndex);",
        replace: "progress.nextIndex = nextIndex;",
      },
    ],
    caughtBy: ["core I10", "core I12"],
  },
  {
    name: "entry-before-not-compared",
    lesson: "§5.3",
    breaks: "a follower looks whether it has an entry before the new ones, and not at its term",
    edits: [
      {
        file: APPEND,
        find: "if (!isCompacted && node.log.termAt(prevLogIndex) !== message.prevLogTerm) {",
        replace: "if (!isCompacted && node.log.termAt(prevLogIndex) === null) {",
      },
    ],
    caughtBy: ["I3 log-matching", "I9 ack-proved", "I5 committed-differs", "core I3"],
  },
  {
    name: "conflict-kept",
    lesson: "§5.3",
    breaks: "an entry of another term stays where the leader has one of its own",
    edits: [
      {
        file: APPEND,
        find: "index > compactedIndex && log.termAt(index) !== term,",
        replace: "index > compactedIndex && log.termAt(index) === null && term > 0,",
      },
    ],
    caughtBy: ["I9 ack-proved", "I3 log-matching", "I5 committed-differs", "core I3"],
  },
  {
    name: "followed-across-terms",
    lesson: "L46",
    breaks: "what was proved to the leader of one term is told to the leader of the next",
    edits: [
      {
        file: "raft/election.ts",
        find: "  node.followed = { matchIndex: 0, round: 0, nextProbeMs: 0 };\n  node.outbox",
        replace: "  node.outbox",
      },
    ],
    caughtBy: ["core I12", "I9 ack-proved", "core I2", "I9 ack-durable"],
  },
  {
    name: "lost-append-never-resent",
    lesson: "L27",
    breaks: "an append that got lost is not sent again",
    edits: [
      {
        file: PROGRESS,
        find: "return progress.inflight.length > 0 && nowMs",
        replace: "return progress.inflight.length > 1e9 && nowMs",
      },
    ],
    caughtBy: ["I22 serves", "I22 equal", "I22 drains", "I22 membership", "I22 leader"],
  },
  {
    name: "window-without-bound",
    lesson: "I20",
    breaks: "a leader sends a peer as much as it has, whatever is out already",
    edits: [
      {
        file: PROGRESS,
        find: "return inflight.length < window.inflightMax && inflightBytes < window.inflightBytesMax;",
        replace: "return inflight.length < 1e9 && inflightBytes < 1e9;",
      },
    ],
    caughtBy: ["core I20", "I20 in-flight"],
  },
  {
    name: "uncommitted-without-bound",
    lesson: "L57",
    breaks: "a leader that is cut off takes proposals without end",
    edits: [
      {
        file: "raft/proposal.ts",
        find: "if (uncommitted > uncommittedEntriesMax) return false;",
        replace: "if (uncommitted > 1e9 * uncommittedEntriesMax) return false;",
      },
    ],
    caughtBy: ["I20 uncommitted"],
  },
  {
    name: "window-never-emptied",
    lesson: "L27",
    breaks: "what was out when a peer fell back to probing is still counted as out",
    edits: [
      {
        file: PROGRESS,
        find: `  progress.mode = "probe";
  progress.offered = null;
  setInflight(progress, []);`,
        replace: `  progress.mode = "probe";
  progress.offered = null;`,
      },
    ],
    caughtBy: ["I22 serves", "I22 equal", "I22 drains", "I22 membership", "I22 leader"],
  },
];
