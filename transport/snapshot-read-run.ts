// What a snapshot's job has of its past: errors, earlier runs and log lines.
//
// Guarantees: as snapshot-read.ts.

import type { EndedRun, JobError, JobState, LogLine } from "../ledger/job.ts";
import type { ProtoReader } from "./proto-reader.ts";
import { namesOf, STATE_TO_WIRE } from "./snapshot-fields.ts";

const STATES = namesOf<JobState>(STATE_TO_WIRE);
const NO_ERROR: JobError = { code: "", message: "", retryable: false };

export function readRun(from: ProtoReader): EndedRun {
  let state: JobState | null = null;
  let error: JobError | null = null;
  let [endMs, retryId] = [0, ""];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) state = from.name(STATES);
    else if (field === 2) error = readError(from);
    else if (field === 3) endMs = from.uint();
    else if (field === 4) retryId = from.text();
    else from.skip();
  }
  from.leave(outer);
  // Only what has failed or was cancelled is retried, and it has a reason.
  const isEnded = (state === "failed" || state === "cancelled") && error !== null;
  if (!isEnded) from.fail("malformed");
  return {
    state: state === "cancelled" ? state : "failed",
    error: error ?? NO_ERROR,
    endMs,
    retryId,
  };
}

export function readLogLine(from: ProtoReader): LogLine {
  let [attempt, timeMs, text] = [0, 0, ""];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) attempt = from.uint();
    else if (field === 2) timeMs = from.uint();
    else if (field === 3) text = from.text();
    else from.skip();
  }
  from.leave(outer);
  return { attempt, timeMs, text };
}

export function readError(from: ProtoReader): JobError {
  let [code, message, retryable] = ["", "", false];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) code = from.text();
    else if (field === 2) message = from.text();
    else if (field === 3) retryable = from.bool();
    else from.skip();
  }
  from.leave(outer);
  return { code, message, retryable };
}
