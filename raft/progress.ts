// What a leader knows of one peer's log, and how much it may send.
//
//   probe ────── an ack that proves nextIndex - 1 ──────▶ replicate
//     ▲                                                       │
//     └── a refusal, no progress for a while, unreachable ◀───┘
//
// Guarantees: matchIndex < nextIndex, and matchIndex never falls (the paper's Figure 2; a late
// refusal has moved it back elsewhere). `probe` has one append out at a time, `replicate` a window.
// Does not own: messages or the log (replication.ts).

import { assert } from "./invariant.ts";
import type { LogIndex } from "./message.ts";

export interface Progress {
  mode: "probe" | "replicate";
  matchIndex: LogIndex;
  nextIndex: LogIndex;
  /** The last index of each append that is out, oldest first; in `probe` at most one. */
  inflight: LogIndex[];
  /** Since when the oldest append that is out has waited; moved on by each progress. */
  waitingSinceMs: number;
  /** The broker said that the mailbox is gone: only heartbeats until the peer is heard. */
  isUnreachable: boolean;
  heardMs: number;
  /** The highest round that the peer has echoed (read.ts). */
  round: number;
}

export function createProgress(nextIndex: LogIndex, nowMs: number): Progress {
  return {
    mode: "probe",
    matchIndex: 0,
    nextIndex,
    inflight: [],
    waitingSinceMs: nowMs,
    isUnreachable: false,
    heardMs: nowMs,
    round: 0,
  };
}

export function maySend(progress: Progress, inflightMax: number): boolean {
  if (progress.isUnreachable) return false;
  return progress.inflight.length < (progress.mode === "probe" ? 1 : inflightMax);
}

export function noteSent(progress: Progress, lastIndex: LogIndex, nowMs: number): void {
  if (progress.inflight.length === 0) progress.waitingSinceMs = nowMs;
  progress.inflight.push(lastIndex);
  // Optimistic only once the logs are known to meet: a probe is sent again from the same place.
  if (progress.mode === "replicate") progress.nextIndex = lastIndex + 1;
}

/** Any answer shows that the mailbox is there. */
export function noteHeard(progress: Progress, round: number, nowMs: number): void {
  progress.heardMs = nowMs;
  progress.isUnreachable = false;
  progress.round = Math.max(progress.round, round);
}

/** An ack. One that proves less than is known (late, or of a heartbeat) changes nothing. */
export function noteMatched(progress: Progress, matchIndex: LogIndex, nowMs: number): void {
  if (matchIndex > progress.matchIndex) {
    progress.matchIndex = matchIndex;
    progress.waitingSinceMs = nowMs;
  }
  // With a probe out, only its own ack ends probing: a heartbeat's ack proves matchIndex again.
  const isProbeAnswered = matchIndex >= progress.nextIndex;
  const isIdleAndProved = progress.inflight.length === 0 && matchIndex === progress.nextIndex - 1;
  if (progress.mode === "probe" && (isProbeAnswered || isIdleAndProved)) {
    progress.mode = "replicate";
    progress.inflight = [];
  }
  progress.inflight = progress.inflight.filter((last) => last > progress.matchIndex);
  progress.nextIndex = Math.max(progress.nextIndex, progress.matchIndex + 1);
}

/** False for a late refusal: of what has matched since, or of another probe than the one out. */
export function isRefusalCurrent(progress: Progress, rejectedIndex: LogIndex): boolean {
  if (rejectedIndex <= progress.matchIndex) return false;
  if (progress.mode === "probe") return rejectedIndex === progress.nextIndex - 1;
  return rejectedIndex < progress.nextIndex;
}

/** The logs part somewhere at or before rejectedIndex: probe from nextIndex, never at the match. */
export function noteRefused(
  progress: Progress,
  rejectedIndex: LogIndex,
  nextIndex: LogIndex,
): void {
  assert(nextIndex <= rejectedIndex, "I12", "a refusal moves back", nextIndex, rejectedIndex);
  progress.mode = "probe";
  progress.inflight = [];
  progress.nextIndex = Math.max(progress.matchIndex + 1, nextIndex);
}

/** What was out may be lost without a word: start again behind what is proved. */
export function becomeProbe(progress: Progress): void {
  progress.mode = "probe";
  progress.inflight = [];
  progress.nextIndex = progress.matchIndex + 1;
}

/** In `probe`, a probe whose answer is long due; in `replicate`, appends that make no progress. */
export function isOverdue(progress: Progress, nowMs: number, resendMs: number): boolean {
  return progress.inflight.length > 0 && nowMs - progress.waitingSinceMs >= resendMs;
}
