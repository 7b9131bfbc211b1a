// The state of one node: Figure 2 of the paper, and what PreVote, reads and pacing add to it.
//
// Guarantees: plain data; only step() and what it calls changes it. commitIndex starts at 0 and is
// learnt anew in each life, since the paper lets it be volatile and a node cannot know what others
// hold. Does not own: any decision.

import type { Configuration } from "./configuration.ts";
import { createConfiguration } from "./configuration.ts";
import type { HardState } from "./effect.ts";
import { Role } from "./effect.ts";
import type { RequestId } from "./input.ts";
import { assert } from "./invariant.ts";
import { Log } from "./log.ts";
import type { Entry, LogIndex, NodeId, Term } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { createPrng, type Prng, uniform } from "./prng.ts";
import type { Progress } from "./progress.ts";

export interface Limits {
  /** Entries of one AppendEntries message. */
  readonly appendEntriesMax: number;
  /** Bytes of one AppendEntries message; an entry that alone is larger travels alone. */
  readonly appendBytesMax: number;
  /** AppendEntries messages that may be out to one peer. */
  readonly inflightMax: number;
  /** What a leader holds that is not committed, before it refuses proposals. */
  readonly uncommittedEntriesMax: number;
  readonly uncommittedBytesMax: number;
}

export interface NodeOptions {
  readonly id: NodeId;
  readonly voters: readonly NodeId[];
  readonly hardState: HardState;
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
  /** The first round that began after the read. */
  readonly round: number;
  /** Null until an entry of the leader's term is committed. */
  readIndex: LogIndex | null;
}

/** What only a leader has; made anew at each election. */
export interface LeaderState {
  readonly peers: ReadonlyMap<NodeId, Progress>;
  /** The no-op of this term: nothing is committed or read before it is committed. */
  readonly termStartIndex: LogIndex;
  /** Bytes of this term's proposals that are not committed. */
  uncommittedBytes: number;
  /** The newest round of heartbeats (read.ts). */
  round: number;
  nextHeartbeatMs: number;
  reads: OpenRead[];
}

/** What a follower can prove to the leader of its term once more (append.ts). */
export interface Followed {
  matchIndex: LogIndex;
  round: number;
  nextProbeMs: number;
}

export interface RaftNode {
  readonly id: NodeId;
  readonly options: Settings;
  configuration: Configuration;
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
  readonly prng: Prng;
  readonly outbox: Outbox;
}

export function createNode(options: NodeOptions): RaftNode {
  checkOptions(options);
  const { id, hardState, nowMs, electionTimeoutMs, heartbeatIntervalMs, limits } = options;
  const log = new Log(options.entries);
  const { currentTerm, votedFor } = hardState;
  assert(log.lastTerm <= currentTerm, "I24", "the log is ahead of the term", log.lastTerm);
  const prng = createPrng(options.seed);
  return {
    id,
    options: { electionTimeoutMs, heartbeatIntervalMs, limits },
    configuration: createConfiguration(options.voters),
    currentTerm,
    votedFor,
    log,
    role: Role.Follower,
    leader: null,
    commitIndex: 0,
    handedIndex: 0,
    lastApplied: 0,
    nowMs,
    electionDeadlineMs: nowMs + uniform(prng, electionTimeoutMs.min, electionTimeoutMs.max),
    leaderHeardMs: nowMs,
    isLeaderUnreachable: false,
    followed: { matchIndex: 0, round: 0, nextProbeMs: 0 },
    votes: new Map(),
    leading: null,
    prng,
    outbox: new Outbox(log.lastIndex),
  };
}

function checkOptions({ electionTimeoutMs, heartbeatIntervalMs, limits }: NodeOptions): void {
  const { min, max } = electionTimeoutMs;
  assert(heartbeatIntervalMs > 0, "I24", "heartbeatIntervalMs", heartbeatIntervalMs);
  assert(heartbeatIntervalMs < min, "I24", "heartbeat < election", heartbeatIntervalMs, min);
  assert(min < max, "I24", "electionTimeoutMs min < max", min, max);
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isInteger(value) && value > 0, "I24", "a limit", name, value);
  }
}
