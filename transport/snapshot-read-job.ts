// A job of a snapshot, read from protos/ledger/v1/snapshot.proto's SnapshotJob.
//
// Guarantees: as snapshot-read.ts. The bytes of payload, result and progress are views of what is
// read: who keeps them copies them, as the ledger does (packed-bytes.ts).

import { JITTER_DEFAULT } from "../ledger/backoff.ts";
import type {
  AttemptOutcome,
  Backoff,
  ChildFailurePolicy,
  ConcurrencyKey,
  EndedRun,
  JobState,
  LogLine,
  Receipt,
  Tried,
} from "../ledger/job.ts";
import type { Asked, KeptAttempt, KeptJob } from "../ledger/kept-job.ts";
import type { ProtoReader } from "./proto-reader.ts";
import {
  CHILD_FAILURE_TO_WIRE,
  namesOf,
  OUTCOME_TO_WIRE,
  STATE_TO_WIRE,
  TRIED_TO_WIRE,
  type Writable,
} from "./snapshot-fields.ts";
import { readError, readLogLine, readRun } from "./snapshot-read-run.ts";

const STATES = namesOf<JobState>(STATE_TO_WIRE);
const OUTCOMES = namesOf<AttemptOutcome>(OUTCOME_TO_WIRE);
const POLICIES = namesOf<ChildFailurePolicy>(CHILD_FAILURE_TO_WIRE);
const TRIED = namesOf<Tried>(TRIED_TO_WIRE);

export const NO_BACKOFF: Backoff = {
  initialMs: 0,
  multiplier: 0,
  maxMs: 0,
  jitter: JITTER_DEFAULT,
};
const NO_PAYLOAD = new Uint8Array();
const NOTHING_ASKED: Asked = {
  queue: "",
  runAtMs: 0,
  maxAttempts: 0,
  backoff: null,
  attemptTimeoutMs: 0,
  totalTimeoutMs: 0,
  lockKeys: [],
  concurrencyKeys: [],
};

export function readJob(from: ProtoReader): KeptJob {
  const lockKeys: string[] = [];
  const concurrencyKeys: ConcurrencyKey[] = [];
  const attempts: KeptAttempt[] = [];
  const receipts: Receipt[] = [];
  const earlierRuns: EndedRun[] = [];
  const logLines: LogLine[] = [];
  const childPositions: number[] = [];
  const job: Writable<KeptJob> = {
    id: "",
    number: 0,
    kind: "",
    queue: "",
    payload: NO_PAYLOAD,
    priority: 0,
    maxAttempts: 0,
    backoff: NO_BACKOFF,
    attemptTimeoutMs: 0,
    totalTimeoutMs: 0,
    lockKeys,
    concurrencyKeys,
    idempotencyKey: "",
    traceparent: "",
    createdMs: 0,
    logIndex: 0,
    asked: NOTHING_ASKED,
    state: "queued",
    runAtMs: 0,
    runStartMs: 0,
    earlierRuns,
    changeIndex: 0,
    dispatch: 0,
    parkedFor: "",
    waitsAt: "",
    arrival: 0,
    attempts,
    result: null,
    error: null,
    endMs: 0,
    progress: null,
    progressMs: 0,
    logLines,
    logLineCount: 0,
    receipts,
    refusedCount: 0,
    refusedStartId: "",
    place: 0,
    claimExpiryMs: 0,
    keysUntilMs: 0,
    scheduleId: "",
    slotMs: 0,
    parentPosition: 0,
    childPositions,
    onChildFailure: "fail-parent",
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
    else if (field === 50) job.arrival = from.uint();
    else if (field === 51) job.waitsAt = from.text();
    else if (field === 52) concurrencyKeys.push(readConcurrencyKey(from));
    else if (field === 40) job.totalTimeoutMs = from.uint();
    else if (field === 41) job.runStartMs = from.uint();
    else if (field === 42) earlierRuns.push(readRun(from));
    else if (field === 43) job.progress = from.bytes();
    else if (field === 44) job.progressMs = from.uint();
    else if (field === 45) logLines.push(readLogLine(from));
    else if (field === 46) job.logLineCount = from.uint();
    else if (field === 60) job.scheduleId = from.text();
    else if (field === 61) job.slotMs = from.uint();
    else if (field === 70) job.parentPosition = from.uint();
    else if (field === 71) from.uintsInto(childPositions);
    else if (field === 72) job.onChildFailure = from.name(POLICIES) ?? "fail-parent";
    else if (field === 80) job.number = from.uint();
    else from.skip();
  }
  // The default of an enum is no name: it has to be there.
  if (state === null) from.fail("malformed");
  else job.state = state;
  return job;
}

function readAttempt(from: ProtoReader): KeptAttempt {
  const attempt: Writable<KeptAttempt> = {
    run: 1,
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
    reports: 0,
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
    else if (field === 12) attempt.run = from.uint();
    else if (field === 13) attempt.reports = from.uint();
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
  const concurrencyKeys: ConcurrencyKey[] = [];
  const asked: Writable<Asked> = { ...NOTHING_ASKED, lockKeys, concurrencyKeys };
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) asked.queue = from.text();
    else if (field === 2) asked.runAtMs = from.uint();
    else if (field === 3) asked.maxAttempts = from.uint();
    else if (field === 4) asked.backoff = readBackoff(from);
    else if (field === 5) asked.attemptTimeoutMs = from.uint();
    else if (field === 6) lockKeys.push(from.text());
    else if (field === 20) concurrencyKeys.push(readConcurrencyKey(from));
    else if (field === 12) asked.totalTimeoutMs = from.uint();
    else from.skip();
  }
  from.leave(outer);
  return asked;
}

function readReceipt(from: ProtoReader): Receipt {
  let tried: Tried | null = null;
  let [token, currentToken, worker, refusedMs] = [0, 0, "", 0];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) token = from.uint();
    else if (field === 2) currentToken = from.uint();
    else if (field === 3) worker = from.text();
    else if (field === 4) tried = from.name(TRIED);
    else if (field === 5) refusedMs = from.uint();
    else from.skip();
  }
  from.leave(outer);
  if (tried === null) from.fail("malformed");
  return { token, currentToken, worker, tried: tried ?? "started", refusedMs };
}

export function readConcurrencyKey(from: ProtoReader): ConcurrencyKey {
  let [key, limit] = ["", 0];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) key = from.text();
    else if (field === 2) limit = from.uint();
    else from.skip();
  }
  from.leave(outer);
  return { key, limit };
}

export function readBackoff(from: ProtoReader): Backoff {
  let [initialMs, multiplier, maxMs, jitter] = [0, 0, 0, JITTER_DEFAULT];
  const outer = from.enter();
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) initialMs = from.uint();
    else if (field === 2) multiplier = from.double();
    else if (field === 3) maxMs = from.uint();
    else if (field === 4) jitter = from.double();
    else from.skip();
  }
  from.leave(outer);
  return { initialMs, multiplier, maxMs, jitter };
}
