// Broken steps, each with a bug that a real implementation has had: the checker must catch it, or
// its silence about the real step would mean nothing.

import { describe, expect, test } from "@jest/globals";
import type { Effect } from "../../raft/effect.ts";
import { InvariantViolation } from "../../raft/invariant.ts";
import type { RaftNode } from "../../raft/node.ts";
import { reachedByMajority } from "../../raft/quorum.ts";
import { step } from "../../raft/step.ts";
import { PropertyViolation } from "../support/raft-checker.ts";
import type { Step } from "../support/raft-cluster.ts";
import { drawnOptions, runToConvergence } from "../support/raft-run.ts";

const SEEDS_MAX = 300;

type Patch = (message: Extract<Effect, { kind: "send" }>) => Effect;

function patchSends(effects: readonly Effect[], patch: Patch): Effect[] {
  return effects.map((effect) => (effect.kind === "send" ? patch(effect) : effect));
}

function agreedIndex(node: RaftNode): number {
  return reachedByMajority(node.configuration, (voter) =>
    voter === node.id
      ? node.outbox.durableIndex
      : (node.leading?.peers.get(voter)?.matchIndex ?? 0),
  );
}

/** PySyncObj #84: votes and acks leave before they are on disk. */
const sendBeforePersist: Step = (node, input) =>
  patchSends(step(node, input), (send) => ({ ...send, afterWriteId: 0 }));

/** redpanda #14, nats: stepping down in the same term clears the vote. */
const forgetVote: Step = (node, input) => {
  const { role, currentTerm } = node;
  const effects = step(node, input);
  const isDown = role === "candidate" && node.role === "follower";
  if (isDown && node.currentTerm === currentTerm) node.votedFor = null;
  return effects;
};

/** LogCabin #44, Figure 8: an entry of an earlier term is committed by counting. */
const commitOldTerm: Step = (node, input) => {
  const effects = step(node, input);
  if (node.leading !== null) node.commitIndex = Math.max(node.commitIndex, agreedIndex(node));
  return effects;
};

/** CCF: the follower acknowledges its whole log, not what the message proved. */
const ackWholeLog: Step = (node, input) =>
  patchSends(step(node, input), (send) => {
    const { message } = send;
    if (message.kind !== "append-entries-result" || !message.success) return send;
    return { ...send, message: { ...message, matchIndex: node.log.lastIndex } };
  });

/** scylladb #9965: the follower commits up to leaderCommit, whatever its log has there. */
const commitUnproved: Step = (node, input) => {
  const effects = step(node, input);
  if (input.kind !== "received" || input.message.kind !== "append-entries") return effects;
  const { leaderCommit, term } = input.message;
  if (term === node.currentTerm) {
    node.commitIndex = Math.max(node.commitIndex, Math.min(leaderCommit, node.log.lastIndex));
  }
  return effects;
};

/** etcd #14370: the leader counts itself before its own fsync. */
const countUndurable: Step = (node, input) => {
  const effects = step(node, input);
  const write = effects.find((effect) => effect.kind === "persist");
  if (write === undefined || node.role !== "leader") return effects;
  const { nowMs } = input;
  return [...effects, ...step(node, { kind: "persisted", nowMs, writeId: write.writeId })];
};

/** etcd #7331: a read is answered without asking a majority who leads. */
const readUnconfirmed: Step = (node, input) => {
  for (const progress of node.leading?.peers.values() ?? []) progress.round = 2 ** 40;
  return step(node, input);
};

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

/** What caught the bug: a property, or an invariant of the core itself. */
function caughtBy(broken: Step): string {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    try {
      runToConvergence(drawnOptions(seed, broken));
    } catch (error) {
      const cause = causeOf(error);
      if (cause instanceof PropertyViolation) return cause.property;
      if (cause instanceof InvariantViolation) return cause.invariant;
      return `seed ${seed}: ${String(cause)}`;
    }
  }
  return "nothing";
}

describe("a known bug put into step is caught", () => {
  test.each([
    ["sends do not wait for the disk", sendBeforePersist, /vote-is-durable|ack-is-durable/],
    ["a vote is forgotten in its term", forgetVote, /one-vote-a-term|election-safety/],
    ["an entry of an old term is committed by counting", commitOldTerm, /own-term-commit/],
    ["a follower acknowledges its whole log", ackWholeLog, /ack-is-(durable|proved)|I12/],
    ["a follower commits what is not proved", commitUnproved, /state-machine-safety|I13/],
    ["a leader counts itself before its disk", countUndurable, /committed-is-durable/],
    ["a read is answered by a deposed leader", readUnconfirmed, /linearizable-read/],
  ])(
    "%s",
    (_, broken, catcher) => {
      expect(caughtBy(broken)).toMatch(catcher);
    },
    60_000,
  );
});
