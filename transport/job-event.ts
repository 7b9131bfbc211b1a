// Job events as users meet them on the topic exchange: JSON, one event a message.
//
// Guarantees: decodeJobEvent never throws and takes only what has every field with its type, so
// that what somebody else publishes there cannot confuse a gateway. Fields may be added later.

import type { Change } from "../ledger/result.ts";
import { isName } from "./command-check.ts";
import type { JobEvent } from "./quorum.ts";

export function jobEventOf(change: Change, term: number, timeMs: number): JobEvent {
  const { index, job, event } = change;
  return {
    index,
    term,
    jobId: job.id,
    kind: job.kind,
    queue: job.queue,
    event,
    attempt: job.attempts.length,
    timeMs,
    ...(job.traceparent === "" ? {} : { traceparent: job.traceparent }),
  };
}

/** One change is one event: a job changes at most once an entry and event. */
export function jobEventId(event: JobEvent): string {
  return `${event.index}.${event.jobId}.${event.event}`;
}

export function encodeJobEvent(event: JobEvent): Buffer {
  return Buffer.from(JSON.stringify(event), "utf8");
}

export function decodeJobEvent(bytes: Uint8Array): JobEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    // JSON.parse has no other way to say no.
    return null;
  }
  return isJobEvent(value) ? value : null;
}

function isJobEvent(value: unknown): value is JobEvent {
  if (typeof value !== "object" || value === null) return false;
  const { index, term, jobId, kind, queue, event, attempt, timeMs, traceparent } = {
    ...value,
  } as Record<string, unknown>;
  return (
    [index, term, attempt, timeMs].every(Number.isSafeInteger) &&
    [jobId, kind, event].every((text) => typeof text === "string" && text !== "") &&
    typeof queue === "string" &&
    isName(queue) &&
    (traceparent === undefined || typeof traceparent === "string")
  );
}
