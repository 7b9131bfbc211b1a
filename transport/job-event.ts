// Job events as users meet them on the topic exchange: JSON, one event a message.
//
// Guarantees: decodeJobEvent never throws and takes only what has every field with its type, so
// that what somebody else publishes there cannot confuse a gateway. Fields may be added later,
// and words of what happened, too: docs/events.md lists both, as a test sees to.

import type { Change } from "../ledger/result.ts";
import { isName } from "./command-check.ts";
import type { JobEvent } from "./quorum.ts";

/** What happened, by the last part of the routing key. */
export const EVENT_WORDS = {
  scheduled: "due later: a future run_at, or the backoff of a retry",
  queued: "due now: waits for a worker",
  running: "an attempt has started",
  succeeded: "ended: a result is recorded",
  failed: "ended: the attempts are used up, or the error is not retryable",
  cancelled: "ended: cancelled before it finished",
  parked: "still queued, but held back",
  unparked: "still queued, and no longer held back",
  progress: "still running, and the attempt has told of its progress or written to its log",
} as const satisfies Readonly<Record<Change["event"], string>>;

type Fits = (value: unknown) => boolean;

const isText: Fits = (value) => typeof value === "string" && value !== "";

/** Of each field, whether a value is one of its own. */
export const EVENT_FIELDS: Readonly<Record<keyof JobEvent, Fits>> = {
  index: Number.isSafeInteger,
  term: Number.isSafeInteger,
  jobId: isText,
  kind: isText,
  queue: (value) => typeof value === "string" && isName(value),
  event: isText,
  attempt: Number.isSafeInteger,
  timeMs: Number.isSafeInteger,
  traceparent: (value) => value === undefined || typeof value === "string",
};

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
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return Object.entries(EVENT_FIELDS).every(([name, fits]) => fits(fields[name]));
}
