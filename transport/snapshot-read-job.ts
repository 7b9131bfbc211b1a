// A job of a snapshot, read from protos/ledger/v1/snapshot.proto's SnapshotJob.
//
// Guarantees: as snapshot-read.ts. The bytes of payload and result are copies.

import type { AttemptOutcome, Backoff, JobError, JobState, Receipt } from "../ledger/job.ts";
import type { Asked, KeptAttempt, KeptJob } from "../ledger/kept-job.ts";
import type { ProtoReader } from "./proto-reader.ts";
import { namesOf, OUTCOME_TO_WIRE, STATE_TO_WIRE, type Writable } from "./snapshot-fields.ts";

const STATES = namesOf<JobState>(STATE_TO_WIRE);
const OUTCOMES = namesOf<AttemptOutcome>(OUTCOME_TO_WIRE);

export const NO_BACKOFF: Backoff = { initialMs: 0, multiplier: 0, maxMs: 0 };
const NO_PAYLOAD = new Uint8Array();
const NOTHING_ASKED: Asked = {
  queue: "",
  runAtMs: 0,
  maxAttempts: 0,
  backoff: null,
  attemptTimeoutMs: 0,
  lockKeys: [],
};

export function readJob(from: ProtoReader): KeptJob {
  const lockKeys: string[] = [];
  const attempts: KeptAttempt[] = [];
  const receipts: Receipt[] = [];
  const job: Writable<KeptJob> = {
    id: "",
    kind: "",
    queue: "",
    payload: NO_PAYLOAD,
    priority: 0,
    maxAttempts: 0,
    backoff: NO_BACKOFF,
    attemptTimeoutMs: 0,
    lockKeys,
    idempotencyKey: "",
    traceparent: "",
    createdMs: 0,
    logIndex: 0,
    asked: NOTHING_ASKED,
    state: "queued",
    runAtMs: 0,
    changeIndex: 0,
    dispatch: 0,
    parkedFor: "",
    attempts,
    result: null,
    error: null,
    endMs: 0,
    receipts,
    refusedCount: 0,
    refusedStartId: "",
    place: 0,
    claimExpiryMs: 0,
    keysUntilMs: 0,
  };
  let state: JobState | null = null;
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) job.id = from.text();
    else if (field === 2) job.logIndex = from.uint();
    else if (field === 3) job.kind = from.text();
    else if (field === 4) job.queue = from.text();
    else if (field === 5) job.payload = from.bytes();
    else if (field === 6) state = from.name(STATES);
    else if (field === 7) job.createdMs = from.uint();
    else if (field === 8) job.runAtMs = from.uint();
    else if (field === 9) job.endMs = from.uint();
    else if (field === 10) job.changeIndex = from.uint();
    else if (field === 11) job.dispatch = from.uint();
    else if (field === 12) job.maxAttempts = from.uint();
    else if (field === 13) job.backoff = readBackoff(from);
    else if (field === 14) attempts.push(readAttempt(from));
    else if (field === 15) job.result = from.bytes();
    else if (field === 16) job.error = readError(from);
    else if (field === 17) job.priority = from.sint();
    else if (field === 18) job.attemptTimeoutMs = from.uint();
    else if (field === 19) lockKeys.push(from.text());
    else if (field === 20) job.idempotencyKey = from.text();
    else if (field === 21) job.traceparent = from.text();
    else if (field === 22) job.asked = readAsked(from);
    else if (field === 23) receipts.push(readReceipt(from));
    else if (field === 24) job.refusedCount = from.uint();
    else if (field === 25) job.refusedStartId = from.text();
    else if (field === 26) job.parkedFor = from.text();
    else if (field === 27) job.place = from.uint();
    else if (field === 28) job.claimExpiryMs = from.uint();
    else if (field === 29) job.keysUntilMs = from.uint();
    else from.skip();
  }
  // The default of an enum is no name: it has to be there.
  if (state === null) from.fail("malformed");
  else job.state = state;
  return job;
}

function readAttempt(from: ProtoReader): KeptAttempt {
  const attempt: Writable<KeptAttempt> = {
    worker: "",
    token: 0,
    startId: "",
    startMs: 0,
    leaseMs: 0,
    leaseExpiryMs: 0,
    endMs: 0,
    outcome: "started",
    error: null,
    answer: null,
  };
  let outcome: AttemptOutcome | null = null;
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) attempt.worker = from.text();
    else if (field === 2) attempt.token = from.uint();
    else if (field === 3) attempt.startId = from.text();
    else if (field === 4) attempt.startMs = from.uint();
    else if (field === 5) attempt.leaseMs = from.uint();
    else if (field === 6) attempt.leaseExpiryMs = from.uint();
    else if (field === 7) attempt.endMs = from.uint();
    else if (field === 8) outcome = from.name(OUTCOMES);
    else if (field === 9) attempt.error = readError(from);
    else if (field === 10) attempt.answer = readAnswer(from);
    else from.skip();
  }
  from.leave(outer);
  if (outcome === null) from.fail("malformed");
  else attempt.outcome = outcome;
  return attempt;
}

function readAnswer(from: ProtoReader): NonNullable<KeptAttempt["answer"]> {
  let state: JobState | null = null;
  let nextAttemptMs = 0;
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) state = from.name(STATES);
    else if (field === 2) nextAttemptMs = from.uint();
    else from.skip();
  }
  from.leave(outer);
  if (state === null) from.fail("malformed");
  return { kind: "finished", state: state ?? "queued", nextAttemptMs };
}

function readAsked(from: ProtoReader): Asked {
  const lockKeys: string[] = [];
  const asked: Writable<Asked> = { ...NOTHING_ASKED, lockKeys };
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) asked.queue = from.text();
    else if (field === 2) asked.runAtMs = from.uint();
    else if (field === 3) asked.maxAttempts = from.uint();
    else if (field === 4) asked.backoff = readBackoff(from);
    else if (field === 5) asked.attemptTimeoutMs = from.uint();
    else if (field === 6) lockKeys.push(from.text());
    else from.skip();
  }
  from.leave(outer);
  return asked;
}

function readReceipt(from: ProtoReader): Receipt {
  let tried: AttemptOutcome | null = null;
  let [token, currentToken, worker, refusedMs] = [0, 0, "", 0];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) token = from.uint();
    else if (field === 2) currentToken = from.uint();
    else if (field === 3) worker = from.text();
    else if (field === 4) tried = from.name(OUTCOMES);
    else if (field === 5) refusedMs = from.uint();
    else from.skip();
  }
  from.leave(outer);
  if (tried === null) from.fail("malformed");
  return { token, currentToken, worker, tried: tried ?? "started", refusedMs };
}

export function readBackoff(from: ProtoReader): Backoff {
  let [initialMs, multiplier, maxMs] = [0, 0, 0];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) initialMs = from.uint();
    else if (field === 2) multiplier = from.double();
    else if (field === 3) maxMs = from.uint();
    else from.skip();
  }
  from.leave(outer);
  return { initialMs, multiplier, maxMs };
}

function readError(from: ProtoReader): JobError {
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
