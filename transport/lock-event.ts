// Events of locks outside jobs, as users meet them on the topic exchange beside those of jobs.
//
// Guarantees: as job-event.ts: decoding never throws, and takes only what has every field with its
// type. `eventsOf` is all that one entry has to tell.

import type { LockChange } from "../ledger/result.ts";
import type { AppliedEntry } from "./applier.ts";
import { jobEventOf } from "./job-event.ts";
import type { JobEvent, LockEvent } from "./quorum.ts";

export type QuorumEvent = JobEvent | LockEvent;

export function eventsOf(
  { changes, lockChanges }: Pick<AppliedEntry, "changes" | "lockChanges">,
  term: number,
  timeMs: number,
): readonly QuorumEvent[] {
  return [
    ...changes.map((change) => jobEventOf(change, term, timeMs)),
    ...lockChanges.map((change) => lockEventOf(change, term, timeMs)),
  ];
}

export function isLockEvent(event: QuorumEvent): event is LockEvent {
  return "lockId" in event;
}

/** One change is one event: a lock changes at most once an entry and event. */
export function lockEventId(event: LockEvent): string {
  return `${event.index}.${event.lockId}.${event.event}`;
}

export function encodeLockEvent(event: LockEvent): Buffer {
  return Buffer.from(JSON.stringify(event), "utf8");
}

export function decodeLockEvent(bytes: Uint8Array): LockEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    // JSON.parse has no other way to say no.
    return null;
  }
  return isSound(value) ? value : null;
}

function lockEventOf({ index, lock, event }: LockChange, term: number, timeMs: number): LockEvent {
  const { id: lockId, token, owner } = lock;
  return { index, term, lockId, lockKeys: [...lock.lockKeys], owner, event, token, timeMs };
}

function isSound(value: unknown): value is LockEvent {
  if (typeof value !== "object" || value === null) return false;
  const { index, term, lockId, lockKeys, owner, event, token, timeMs } = {
    ...value,
  } as Record<string, unknown>;
  return (
    [index, term, token, timeMs].every(Number.isSafeInteger) &&
    [lockId, event].every((text) => typeof text === "string" && text !== "") &&
    typeof owner === "string" &&
    Array.isArray(lockKeys) &&
    lockKeys.every((key) => typeof key === "string")
  );
}
