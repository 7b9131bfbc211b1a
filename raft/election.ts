// Elections (§5.2, §5.4.1) with PreVote, leader stickiness and CheckQuorum (§9.6 and §6.2 of the
// dissertation).
//
//   follower ─ timeout ─▶ pre-candidate ─ majority would vote ─▶ candidate ─ majority ─▶ leader
//      ▲                      │ refused                            │ refused               │
//      └──────────────────────┴──── a leader is heard, a higher term, no quorum heard ─────┘
//
// Guarantees: one vote a term, told only when durable with its term; a term rises only when a
// majority would follow. All three extensions are needed together: PreVote alone lets a cluster
// with one broken link go on without a leader (Cloudflare, 2020-11-02), since stickiness keeps
// pre-votes away from a leader that only CheckQuorum can then remove.
// Does not own: replication by the elected (replication.ts).

import { isSoleVoter, isVoter, peersOf, votingPeersOf } from "./configuration.ts";
import { Role } from "./effect.ts";
import { assert } from "./invariant.ts";
import type { NodeId, RequestVote, RequestVoteResult, Term } from "./message.ts";
import { EntryKind } from "./message.ts";
import { leaderState, type RaftNode } from "./node.ts";
import { uniform } from "./prng.ts";
import { createProgress } from "./progress.ts";
import { reachedByMajority, tally } from "./quorum.ts";
import { refuseReads } from "./read.ts";
import { appendOwn } from "./replication.ts";

/** A follower that has said nothing for this part of a heartbeat interval asks the broker. */
export const PROBE_HEARTBEATS = 1 / 4;

export function resetElectionTimer(node: RaftNode): void {
  const { min, max } = node.options.electionTimeoutMs;
  node.electionDeadlineMs = node.nowMs + uniform(node.prng, min, max);
}

/** A sole voter has nobody to wait for. */
export function isElectionDue(node: RaftNode): boolean {
  if (!mayCampaign(node)) return false;
  const isAlone = node.role === Role.Follower && isSoleVoter(node.configuration, node.id);
  return isAlone || node.nowMs >= node.electionDeadlineMs;
}

/**
 * Also one that its newest configuration leaves out, until it knows that to be committed: nobody
 * else may have the entry, and then no other log is as good as its own (dissertation §4.2.2). It
 * does not count itself.
 */
function mayCampaign({ configuration, membership, commitIndex, id }: RaftNode): boolean {
  if (isVoter(configuration, id)) return true;
  const { currentIndex } = membership;
  // The one before, not that at commitIndex: after a restart several later ones may be committed.
  return currentIndex > commitIndex && isVoter(membership.at(currentIndex - 1), id);
}

/** In the same term the vote stays: forgetting it would let this node vote twice in one term. */
export function becomeFollower(node: RaftNode, term: Term, leader: NodeId | null): void {
  assert(term >= node.currentTerm, "I8", "term", term, node.currentTerm);
  if (term > node.currentTerm) {
    enterTerm(node, term);
    node.votedFor = null;
  }
  const deposed = node.leading;
  node.role = Role.Follower;
  node.leader = leader;
  node.leading = null;
  node.votes.clear();
  if (deposed === null) return;
  resetElectionTimer(node);
  refuseReads(node, deposed);
}

function enterTerm(node: RaftNode, term: Term): void {
  node.currentTerm = term;
  node.isLeaderUnreachable = false;
  node.followed = { matchIndex: 0, round: 0, nextProbeMs: 0 };
  node.outbox.saveHardState();
}

/** Asks who would vote, without touching term or vote. */
export function startPreVote(node: RaftNode): void {
  node.role = Role.PreCandidate;
  node.leader = null;
  node.votes = new Map([[node.id, true]]);
  resetElectionTimer(node);
  if (mayRetrySoon(node)) retrySoon(node, PROBE_HEARTBEATS);
  if (tally(node.configuration, node.votes) === "won") startElection(node, false);
  else requestVotes(node, true, false);
}

/**
 * A leader whose mailbox is gone is as good as dead, but peers may have heard it lately and refuse;
 * a pre-vote costs nothing, so it is repeated quickly until their stickiness is over.
 */
function mayRetrySoon(node: RaftNode): boolean {
  const sinceHeardMs = node.nowMs - node.leaderHeardMs;
  return node.isLeaderUnreachable && sinceHeardMs < node.options.electionTimeoutMs.max;
}

function retrySoon(node: RaftNode, heartbeats: number): void {
  const leastMs = heartbeats * node.options.heartbeatIntervalMs;
  node.electionDeadlineMs = node.nowMs + uniform(node.prng, leastMs, 3 * leastMs);
}

/** The leader hands over: no need to ask who would vote, and no stickiness to respect. */
export function onTimeoutNow(node: RaftNode, from: NodeId): void {
  const isMeant = node.role !== Role.Leader && (node.leader === null || node.leader === from);
  if (isMeant && isVoter(node.configuration, node.id)) startElection(node, true);
}

function startElection(node: RaftNode, transfer: boolean): void {
  const isLeaderGone = mayRetrySoon(node);
  enterTerm(node, node.currentTerm + 1);
  node.votedFor = node.id;
  node.role = Role.Candidate;
  node.leader = null;
  node.votes.clear();
  resetElectionTimer(node);
  // All followers learn of a dead leader at the same moment, so split votes are likelier than by
  // timeouts alone: they are settled at the pace of the hint, not after a whole timeout.
  if (isLeaderGone) retrySoon(node, 1);
  requestVotes(node, false, transfer);
}

/** Once durable, like any other vote; a sole voter would else lead the same term in two lives. */
export function countOwnVote(node: RaftNode): void {
  if (node.outbox.afterHardState() > 0) return;
  node.votes.set(node.id, true);
  if (tally(node.configuration, node.votes) === "won") becomeLeader(node);
}

function requestVotes(node: RaftNode, preVote: boolean, transfer: boolean): void {
  const message: RequestVote = {
    kind: "request-vote",
    term: node.currentTerm,
    lastLogIndex: node.log.lastIndex,
    lastLogTerm: node.log.lastTerm,
    preVote,
    transfer,
  };
  const afterWriteId = node.outbox.afterHardState();
  for (const peer of votingPeersOf(node.configuration, node.id)) {
    node.outbox.send(peer, message, afterWriteId);
  }
}

function becomeLeader(node: RaftNode): void {
  assert(node.votedFor === node.id, "I1", "a leader voted for itself", node.votedFor);
  const { log, nowMs, currentTerm: term } = node;
  const index = log.lastIndex + 1;
  const peers = peersOf(node.configuration, node.id);
  node.role = Role.Leader;
  node.leader = node.id;
  node.votes.clear();
  node.leading = {
    peers: new Map(peers.map((peer) => [peer, createProgress(index, nowMs)])),
    termStartIndex: index,
    uncommittedBytes: 0,
    round: 0,
    nextHeartbeatMs: nowMs + node.options.heartbeatIntervalMs,
    reads: [],
    transfer: null,
  };
  node.fetch = null;
  // Commits all before it, and tells the leader what is committed (§8).
  const data = new Uint8Array(0);
  appendOwn(node, [{ term, index, kind: EntryKind.NoOp, data, traceparent: "" }]);
}

/**
 * A leader that a majority has heard, or a follower that has heard its leader, within the minimum
 * election timeout helps nobody to depose it (§6). `unreachable` only lifts this stickiness.
 */
export function isLeaderAlive(node: RaftNode): boolean {
  const { min } = node.options.electionTimeoutMs;
  if (node.role === Role.Leader) return node.nowMs - quorumHeardMs(node) < min;
  if (node.leader === null || node.isLeaderUnreachable) return false;
  return node.nowMs - node.leaderHeardMs < min;
}

/** When a majority was last heard, this node among it. */
function quorumHeardMs(node: RaftNode): number {
  const { peers } = leaderState(node);
  return reachedByMajority(node.configuration, (voter) =>
    voter === node.id ? node.nowMs : (peers.get(voter)?.heardMs ?? 0),
  );
}

/** CheckQuorum: a leader that no majority answers can commit nothing; it must not look alive. */
export function isQuorumSilent(node: RaftNode): boolean {
  return node.nowMs - quorumHeardMs(node) >= node.options.electionTimeoutMs.max;
}

/** The message's term is the current term, and no live leader stands in the way. */
export function onRequestVote(node: RaftNode, from: NodeId, message: RequestVote): void {
  const { lastLogTerm, lastLogIndex, preVote } = message;
  const isFree = preVote || node.votedFor === null || node.votedFor === from;
  const voteGranted = isFree && node.log.isUpToDate(lastLogTerm, lastLogIndex);
  if (voteGranted && !preVote) {
    if (node.votedFor === null) {
      node.votedFor = from;
      node.outbox.saveHardState();
    }
    if (node.role === Role.PreCandidate) becomeFollower(node, node.currentTerm, null);
    resetElectionTimer(node);
  }
  answerVote(node, from, voteGranted, preVote);
}

export function answerVote(
  node: RaftNode,
  to: NodeId,
  voteGranted: boolean,
  preVote: boolean,
): void {
  const term = node.currentTerm;
  const message: RequestVoteResult = { kind: "request-vote-result", term, voteGranted, preVote };
  node.outbox.send(to, message, node.outbox.afterHardState());
}

export function onVoteResult(node: RaftNode, from: NodeId, message: RequestVoteResult): void {
  // A late answer to the other kind of campaign must not count for this one.
  if (node.role !== (message.preVote ? Role.PreCandidate : Role.Candidate)) return;
  if (!isVoter(node.configuration, from)) return;
  // One a voter. A grant is never taken back, and may follow the refusal of an earlier pre-vote.
  node.votes.set(from, message.voteGranted || node.votes.get(from) === true);
  const result = tally(node.configuration, node.votes);
  if (result === "lost") becomeFollower(node, node.currentTerm, null);
  else if (result === "won" && message.preVote) startElection(node, false);
  else if (result === "won") becomeLeader(node);
}

/**
 * A hint that the leader is gone: campaign early. All followers learn of it at nearly the same
 * moment, so they take turns, in the order in which they follow the leader among the voters: the
 * first one when the others have had the time to learn of it too, or they would still stand by the
 * leader, the next one when the first should have won.
 */
export function onLeaderUnreachable(node: RaftNode): void {
  if (node.isLeaderUnreachable) return;
  const turnMs = PROBE_HEARTBEATS * node.options.heartbeatIntervalMs;
  const delayMs = (1 + turnOf(node)) * turnMs + uniform(node.prng, 0, turnMs / 2);
  node.isLeaderUnreachable = true;
  node.electionDeadlineMs = Math.min(node.electionDeadlineMs, node.nowMs + delayMs);
}

function turnOf({ configuration, leader, id }: RaftNode): number {
  const { voters } = configuration;
  const place = leader === null ? -1 : voters.indexOf(leader);
  const own = voters.indexOf(id);
  return place < 0 || own < 0 ? 0 : (own - place + voters.length - 1) % voters.length;
}
