// A lock outside jobs: asked for by anybody, for some keys at once, until it is let go or runs out.
//
//   asked ──all keys free──▶ held ──let go, lease over──▶ over
//     └─ else in line: waiting ──its turn──▶ held
//                         └─ wait over, let go, no sign of life──▶ over
//
// Guarantees: a lock is held once, under one token: the entry by which it was granted. One that is
// over is kept for a while, so that a late copy of its request is answered and takes nothing.
// Does not own: the keys, which it shares with jobs (line.ts).

import type { FencingToken } from "./job.ts";
import type { JobRecord } from "./record.ts";

export type LockState = "waiting" | "held" | "over";

/** Why it is over. not-granted: its turn did not come in the time that it wanted to wait. */
export type LockEnd = "released" | "expired" | "not-granted";

export interface LockRecord {
  /** `l-` and the entry that asked for it. */
  readonly id: string;
  /** That entry's index. */
  readonly number: number;
  readonly lockKeys: readonly string[];
  /** For people: who asked. */
  readonly owner: string;
  /** Names the request: the same one asked twice gets the same lock. */
  readonly requestId: string;
  readonly ttlMs: number;
  state: LockState;
  /** null until it is over. */
  end: LockEnd | null;
  /** 0 until it is held. */
  token: FencingToken;
  /** False while nobody has told that they heard of the grant: it was given in the line. */
  isTaken: boolean;
  /** Held or waiting: over by then without a sign of life. Over: since when. */
  expiryMs: number;
  /** Until when it waits. */
  waitUntilMs: number;
  /** As a job's: place in the lines, and the key that it waits for. */
  place: number;
  parkedFor: string;
}

/** Who may hold a lock key. */
export type Contender = JobRecord | LockRecord;

export function isLock(one: Contender): one is LockRecord {
  return "ttlMs" in one;
}

/** How long a request in line, or one granted there, may be silent: its caller may be gone. */
export const WAIT_LEASE_MS = 10_000;
/** Longer than a copy of a call can be on its way: its minute, and clocks that differ. */
export const LOCK_MEMORY_MS = 120_000;
/** Locks held and waited for; and those that are over and remembered, the oldest go first. */
export const LOCKS_MAX = 100_000;
export const ENDED_LOCKS_MAX = 50_000;
