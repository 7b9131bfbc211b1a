// Planted bugs of membership: who counts, when a change may begin, and what ends it.

import type { Mutant } from "../mutant.ts";

const CHANGE = "raft/membership-change.ts";
const MEMBERSHIP = "raft/membership.ts";
const QUORUM = "raft/quorum.ts";

export const MEMBER_MUTANTS: readonly Mutant[] = [
  {
    name: "learner-counted",
    lesson: "L15",
    breaks: "what a learner holds counts towards the quorum of the voters",
    edits: [
      {
        file: QUORUM,
        find: "  { voters, outgoing }: Configuration,\n  reachedBy",
        replace: "  { voters, outgoing, learners }: Configuration,\n  reachedBy",
      },
      {
        file: QUORUM,
        find: "  const reached = reachedByMost(voters, reachedBy);",
        replace: `  const all = [...voters, ...learners].map(reachedBy).sort((left, right) => right - left);
  const reached = all[majority(voters) - 1] ?? 0;`,
      },
    ],
    caughtBy: ["I6 committed-durable", "I14 read-floor"],
  },
  {
    name: "joint-commit-by-the-new-alone",
    lesson: "§6",
    breaks: "between two configurations the new voters alone commit",
    edits: [
      {
        file: QUORUM,
        find: "  return outgoing.length === 0 ? reached : Math.min(reached, reachedByMost(outgoing, reachedBy));",
        replace: "  return outgoing.length < 0 ? reachedByMost(outgoing, reachedBy) : reached;",
      },
    ],
    caughtBy: ["I6 committed-durable", "I14 read-floor"],
    seedsMax: 2000,
  },
  {
    name: "joint-election-by-the-new-alone",
    lesson: "§6",
    breaks: "between two configurations the new voters alone elect",
    edits: [
      {
        file: QUORUM,
        find: "  if (outgoing.length > 0) tallies.push(tallyOf(outgoing, votes));\n",
        replace: "  if (outgoing.length < 0) tallies.push(tallyOf(outgoing, votes));\n",
      },
    ],
    caughtBy: ["I12 election-quorum", "I1 election-safety", "I25 pre-vote"],
    seedsMax: 2000,
  },
  {
    name: "change-before-the-last-is-committed",
    lesson: "L51",
    breaks: "a change begins while the one before it is not committed",
    edits: [
      {
        file: CHANGE,
        find: "    node.membership.currentIndex <= node.commitIndex &&\n",
        replace: "",
      },
    ],
    caughtBy: ["core I11"],
  },
  {
    name: "change-before-the-own-term",
    lesson: "L51",
    breaks: "a change begins before the leader has committed an entry of its term (Ongaro 2015)",
    edits: [
      {
        file: CHANGE,
        find: "    termStartIndex <= node.commitIndex\n",
        replace: "    termStartIndex >= 0\n",
      },
    ],
    caughtBy: ["I11 change-before-own-term", "core I11", "I4 leader-completeness"],
    seedsMax: 2000,
  },
  {
    name: "two-voters-at-once",
    lesson: "L51",
    breaks: "two voters are exchanged without a joint configuration",
    edits: [
      {
        file: CHANGE,
        find: "voterDifference(current.voters, voters) <= 1;",
        replace: "voterDifference(current.voters, voters) <= 2;",
      },
    ],
    caughtBy: ["I11 configuration-overlap"],
  },
  {
    name: "members-outlive-truncation",
    lesson: "L26",
    breaks: "a configuration stays in force when its entry is cut off",
    edits: [
      {
        file: "raft/append.ts",
        find: "first.index <= membership.currentIndex && membership.truncate(first.index);",
        replace: "first.index <= membership.currentIndex && first.index < 0;",
      },
    ],
    caughtBy: ["I11 configuration", "I11 snapshot-configuration", "core I11"],
    seedsMax: 2000,
  },
  {
    name: "members-of-the-snapshot-only",
    lesson: "L26",
    breaks: "a restarted node overlooks the configurations of its log",
    edits: [
      {
        file: MEMBERSHIP,
        find: "    this.append(entries.filter((entry) => entry.index > index));",
        replace:
          "    this.append(entries.filter((entry) => entry.index < index && entry.index < 0));",
      },
    ],
    caughtBy: ["I11 snapshot-configuration", "I12 election-quorum", "I6 committed-durable"],
  },
  {
    name: "blank-voter",
    lesson: "B1",
    breaks: "a node without log and snapshot, which gives no vote, is made a voter",
    edits: [
      {
        file: CHANGE,
        find: "    const isKnown = isVoter(node.configuration, id) || id === node.id;",
        replace: '    const isKnown = isVoter(node.configuration, id) || id !== "";',
      },
    ],
    caughtBy: ["I22 leader", "I22 membership"],
    seedsMax: 2000,
  },
  {
    name: "learner-promoted-at-once",
    lesson: "B1",
    breaks: "a learner is made a voter before it has anything",
    edits: [
      {
        file: CHANGE,
        find: '  if (progress === undefined || progress.mode !== "replicate") return false;',
        replace: "  if (progress !== undefined) return true;",
      },
    ],
    caughtBy: ["I22 leader", "I22 membership"],
    seedsMax: 2000,
  },
  {
    name: "left-out-never-campaigns",
    lesson: "B4",
    breaks: "whom an uncommitted configuration leaves out does not campaign",
    edits: [
      {
        file: "raft/election.ts",
        find: "  return currentIndex > commitIndex && isVoter(",
        replace: "  return currentIndex > commitIndex && commitIndex < 0 && isVoter(",
      },
    ],
    caughtBy: ["I22 leader"],
    seedsMax: 2000,
  },
  {
    name: "left-out-judged-by-an-old-commit",
    lesson: "B4",
    breaks:
      "whom a configuration leaves out looks at the members of its commit index, which a restart forgets",
    edits: [
      {
        file: "raft/election.ts",
        find: "isVoter(membership.at(currentIndex - 1), id);",
        replace: "isVoter(membership.at(commitIndex), id);",
      },
    ],
    caughtBy: ["I22 leader"],
    seedsMax: 2000,
    survives:
      "a leader that has left itself out must restart while its log is the only one that can be " +
      "elected, which hardly any seed comes to",
    test: "test/unit/raft/membership-change.test.ts",
  },
  {
    name: "promoted-learner-refuses-to-vote",
    lesson: "L53",
    breaks: "a learner that was promoted in an entry that it has not seen gives no vote",
    edits: [
      {
        file: "raft/step.ts",
        find: "      if (!isBlank(node)) onRequestVote(node, from, message);",
        replace: `      if (isBlank(node) || node.configuration.learners.includes(node.id)) break;
      onRequestVote(node, from, message);`,
      },
    ],
    caughtBy: ["I22 leader"],
    seedsMax: 2000,
  },
  {
    name: "joint-never-left",
    lesson: "§6",
    breaks: "a leader does not leave the joint configuration",
    edits: [
      {
        file: CHANGE,
        find: "    appendConfiguration(node, createConfiguration(voters, learners));\n    return;",
        replace: "    return;",
      },
    ],
    caughtBy: ["I22 membership"],
  },
  {
    name: "removed-leader-leads-on",
    lesson: "§6",
    breaks: "a leader whose removal is committed goes on leading",
    edits: [
      {
        file: CHANGE,
        find: "    retire(node);\n    return;",
        replace: "    return;",
      },
    ],
    caughtBy: ["I29 removed-leads"],
  },
];
