// What a leader knows of one peer's log, and how much it may send.
//
//   probe ────── an ack that proves nextIndex - 1 ──────▶ replicate
//     ▲ │                                                     │
//     │ └─ what comes next is compacted ─▶ snapshot ─ an ack ─▶
//     └── a refusal, no progress for a while, unreachable ◀───┘
//
// Guarantees: matchIndex < nextIndex, and matchIndex never falls (the paper's Figure 2; a late
// refusal has moved it back elsewhere). `probe` has one append out at a time, `replicate` a window
// in messages and bytes, `snapshot` none. An ack alone ends `snapshot`: no report of the fetch can
// get lost (etcd's snapshot_succeed_via_app_resp).
// Does not own: messages or the log (replication.ts).

import { assert } from "./invariant.ts";
import type { LogIndex, Snapshot } from "./message.ts";

interface Inflight {
  readonly lastIndex: LogIndex;
  readonly bytes: number;
}

/** How much may be out to one peer. */
export interface Window {
  readonly inflightMax: number;
  readonly inflightBytesMax: number;
}

export interface Progress {
  mode: "probe" | "replicate" | "snapshot";
  matchIndex: LogIndex;
  nextIndex: LogIndex;
  /** The appends that are out, oldest first; in `probe` at most one, in `snapshot` none. */
  inflight: readonly Inflight[];
  inflightBytes: number;
  /** In `snapshot`: what the peer was told to fetch. */
  offered: Snapshot | null;
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
    inflightBytes: 0,
    offered: null,
    waitingSinceMs: nowMs,
    isUnreachable: false,
    heardMs: nowMs,
    round: 0,
  };
}

export function maySend(progress: Progress, window: Window): boolean {
  const { mode, inflight, inflightBytes, isUnreachable } = progress;
  if (isUnreachable || mode === "snapshot") return false;
  if (mode === "probe") return inflight.length === 0;
  return inflight.length < window.inflightMax && inflightBytes < window.inflightBytesMax;
}

export function noteSent(
  progress: Progress,
  lastIndex: LogIndex,
  bytes: number,
  nowMs: number,
): void {
  if (progress.inflight.length === 0) progress.waitingSinceMs = nowMs;
  setInflight(progress, [...progress.inflight, { lastIndex, bytes }]);
  // Optimistic only once the logs are known to meet: a probe is sent again from the same place.
  if (progress.mode === "replicate") progress.nextIndex = lastIndex + 1;
}

function setInflight(progress: Progress, inflight: readonly Inflight[]): void {
  progress.inflight = inflight;
  progress.inflightBytes = inflight.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** What the peer needs next is compacted: it is told to fetch this instead. */
export function noteOffered(progress: Progress, snapshot: Snapshot, nowMs: number): void {
  progress.mode = "snapshot";
  progress.offered = snapshot;
  progress.waitingSinceMs = nowMs;
  setInflight(progress, []);
  progress.nextIndex = Math.max(progress.matchIndex, snapshot.index) + 1;
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
  if (progress.mode !== "replicate" && (isProbeAnswered || isIdleAndProved)) {
    progress.mode = "replicate";
    progress.offered = null;
    setInflight(progress, []);
  }
  if ((progress.inflight[0]?.lastIndex ?? Number.POSITIVE_INFINITY) <= progress.matchIndex) {
    const { inflight } = progress;
    setInflight(
      progress,
      inflight.filter(({ lastIndex }) => lastIndex > progress.matchIndex),
    );
  }
  progress.nextIndex = Math.max(progress.nextIndex, progress.matchIndex + 1);
}

/** False for a late refusal: of what has matched since, or of another probe than the one out. */
export function isRefusalCurrent(progress: Progress, rejectedIndex: LogIndex): boolean {
  if (rejectedIndex <= progress.matchIndex || progress.mode === "snapshot") return false;
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
  becomeProbe(progress);
  progress.nextIndex = Math.max(progress.matchIndex + 1, nextIndex);
}

/** What was out may be lost without a word: start again behind what is proved. */
export function becomeProbe(progress: Progress): void {
  progress.mode = "probe";
  progress.offered = null;
  setInflight(progress, []);
  progress.nextIndex = progress.matchIndex + 1;
}

/** In `probe`, an answer long due; in `replicate`, appends that make no progress. */
export function isOverdue(progress: Progress, nowMs: number, resendMs: number): boolean {
  return progress.inflight.length > 0 && nowMs - progress.waitingSinceMs >= resendMs;
}
