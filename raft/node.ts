// The state of one node: Figure 2 of the paper, and what PreVote, reads and pacing add to it.
//
// Guarantees: plain data; only step() and what it calls changes it. commitIndex starts at the
// snapshot and is learnt anew in each life, since the paper lets it be volatile and a node cannot
// know what others hold. Does not own: any decision.

import type { Configuration } from "./configuration.ts";
import type { HardState } from "./effect.ts";
import { Role } from "./effect.ts";
import type { RequestId } from "./input.ts";
import { assert } from "./invariant.ts";
import { Log } from "./log.ts";
import { Membership } from "./membership.ts";
import type { Entry, LogIndex, LogPosition, NodeId, Snapshot, Term } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { createPrng, type Prng, uniform } from "./prng.ts";
import type { Progress } from "./progress.ts";

export { foundingSnapshot } from "./membership.ts";

export interface Limits {
  /** Entries of one AppendEntries message. */
  readonly appendEntriesMax: number;
  /** Bytes of one AppendEntries message; an entry that alone is larger travels alone. */
  readonly appendBytesMax: number;
  /** AppendEntries messages, and bytes of their entries, that may be out to one peer. */
  readonly inflightMax: number;
  readonly inflightBytesMax: number;
  /** What a leader holds that is not committed, before it refuses proposals. */
  readonly uncommittedEntriesMax: number;
  readonly uncommittedBytesMax: number;
  /** What is kept before a snapshot, for peers that lag a little: entries, and their bytes. */
  readonly trailingEntriesMax: number;
  readonly trailingBytesMax: number;
  /** Of one chunk of a snapshot, and how many a follower asks for at a time. */
  readonly snapshotChunkBytes: number;
  readonly snapshotWindow: number;
  /** A learner this close to the end of the log is made a voter. */
  readonly promotionLagMax: number;
}

export interface NodeOptions {
  readonly id: NodeId;
  /** What the state machine was restored from; null for a node that has not joined a cluster. */
  readonly snapshot: Snapshot | null;
  readonly hardState: HardState;
  /** The place before the first entry: at or before the snapshot. */
  readonly offset: LogPosition;
  /** The recovered log, from its first entry. */
  readonly entries: readonly Entry[];
  readonly electionTimeoutMs: { readonly min: number; readonly max: number };
  readonly heartbeatIntervalMs: number;
  /** A uint32, another one for each node and life. */
  readonly seed: number;
  readonly limits: Limits;
  readonly nowMs: number;
}

/** The options that outlive createNode. */
export type Settings = Pick<NodeOptions, "electionTimeoutMs" | "heartbeatIntervalMs" | "limits">;

/** A read that waits for its leader to be confirmed (read.ts). */
export interface OpenRead {
  readonly requestId: RequestId;
  /** The follower whose reader waits; null for a reader of the leader's own. */
  readonly from: NodeId | null;
  /** The first round that began after the read. */
  readonly round: number;
  /** Null until an entry of the leader's term is committed. */
  readIndex: LogIndex | null;
}

/** Leadership on its way to another voter (transfer.ts). */
export interface Transfer {
  readonly requestId: RequestId;
  readonly to: NodeId;
  readonly deadlineMs: number;
  isSent: boolean;
}

/** What only a leader has; made anew at each election. */
export interface LeaderState {
  /** All members but this one, and removed ones until their removal is committed. */
  readonly peers: Map<NodeId, Progress>;
  /** The no-op of this term: nothing is committed or read before it is committed. */
  readonly termStartIndex: LogIndex;
  /** Bytes of this term's proposals that are not committed. */
  uncommittedBytes: number;
  /** The newest round of heartbeats (read.ts). */
  round: number;
  nextHeartbeatMs: number;
  reads: OpenRead[];
  transfer: Transfer | null;
}

/** What a follower can prove to the leader of its term once more (append.ts). */
export interface Followed {
  matchIndex: LogIndex;
  round: number;
  nextProbeMs: number;
}

/** The leader's snapshot on its way to a follower (snapshot-fetch.ts). */
export interface Fetch {
  readonly snapshot: Snapshot;
  from: NodeId;
  /** The first chunk that was never asked for; of this leader, if there was another one before. */
  nextChunk: number;
  /** Chunks asked for, and when. */
  readonly asked: Map<number, number>;
  readonly staged: Set<number>;
  isVerifying: boolean;
}

export interface RaftNode {
  readonly id: NodeId;
  readonly options: Settings;
  membership: Membership;
  /** The one in force: membership.current. */
  configuration: Configuration;
  /** What a restart begins with, and what a peer is sent whose next entry is compacted. */
  snapshot: Snapshot | null;
  /** The one before it in this life: a store keeps two, so that a fetch can be finished. */
  formerSnapshot: Snapshot | null;
  currentTerm: Term;
  votedFor: NodeId | null;
  readonly log: Log;
  role: Role;
  leader: NodeId | null;
  commitIndex: LogIndex;
  /** The last entry given to the state machine; lastApplied is what it says it has applied. */
  handedIndex: LogIndex;
  lastApplied: LogIndex;
  nowMs: number;
  electionDeadlineMs: number;
  leaderHeardMs: number;
  /** The broker said that the leader's mailbox is gone, and the leader was not heard since. */
  isLeaderUnreachable: boolean;
  followed: Followed;
  /** The answers of this campaign; one a voter. */
  votes: Map<NodeId, boolean>;
  leading: LeaderState | null;
  /** The leader's snapshot on its way to this follower. */
  fetch: Fetch | null;
  /** A follower's reads that its leader was asked about, and when; oldest first. */
  readonly forwarded: Map<RequestId, number>;
  readonly prng: Prng;
  readonly outbox: Outbox;
}

export function createNode(options: NodeOptions): RaftNode {
  checkOptions(options);
  const { id, hardState, nowMs, electionTimeoutMs, heartbeatIntervalMs, limits } = options;
  const { snapshot, offset, entries } = options;
  const log = new Log(entries, offset);
  const membership = new Membership(snapshot, entries);
  const appliedIndex = snapshot?.index ?? 0;
  assert(offset.index <= appliedIndex, "I24", "compacted without a snapshot", offset.index);
  assert(snapshot !== null || log.lastIndex === 0, "I24", "a log without a snapshot");
  assert(appliedIndex <= log.lastIndex, "I24", "the log ends before the snapshot", log.lastIndex);
  const { currentTerm, votedFor } = hardState;
  assert(log.lastTerm <= currentTerm, "I24", "the log is ahead of the term", log.lastTerm);
  const prng = createPrng(options.seed);
  return {
    id,
    options: { electionTimeoutMs, heartbeatIntervalMs, limits },
    membership,
    configuration: membership.current,
    snapshot,
    formerSnapshot: null,
    currentTerm,
    votedFor,
    log,
    role: Role.Follower,
    leader: null,
    commitIndex: appliedIndex,
    handedIndex: appliedIndex,
    lastApplied: appliedIndex,
    nowMs,
    electionDeadlineMs: nowMs + uniform(prng, electionTimeoutMs.min, electionTimeoutMs.max),
    leaderHeardMs: nowMs,
    isLeaderUnreachable: false,
    followed: { matchIndex: 0, round: 0, nextProbeMs: 0 },
    votes: new Map(),
    leading: null,
    fetch: null,
    forwarded: new Map(),
    prng,
    outbox: new Outbox(log.lastIndex),
  };
}

/** For code that only a leader reaches. */
export function leaderState(node: RaftNode): LeaderState {
  assert(node.leading !== null, "I1", "not the leader", node.role);
  return node.leading;
}

/**
 * Has neither founded a cluster nor been taken in by one. It takes no part in Raft but to take over
 * a snapshot: if it answered for a cluster and then founded another one, it would count in both
 * (transport/formation.ts).
 */
export function isBlank({ snapshot }: RaftNode): boolean {
  return snapshot === null;
}

function checkOptions({ electionTimeoutMs, heartbeatIntervalMs, limits }: NodeOptions): void {
  const { min, max } = electionTimeoutMs;
  assert(heartbeatIntervalMs > 0, "I24", "heartbeatIntervalMs", heartbeatIntervalMs);
  assert(heartbeatIntervalMs < min, "I24", "heartbeat < election", heartbeatIntervalMs, min);
  assert(min < max, "I24", "electionTimeoutMs min < max", min, max);
  for (const [name, value] of Object.entries(limits)) {
    const least = ["trailingEntriesMax", "promotionLagMax"].includes(name) ? 0 : 1;
    assert(Number.isInteger(value) && value >= least, "I24", "a limit", name, value);
  }
}
