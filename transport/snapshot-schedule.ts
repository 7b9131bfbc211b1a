// A schedule of a snapshot, as protos/ledger/v1/snapshot.proto's SnapshotSchedule, both ways.
//
// Guarantees: as snapshot-write.ts and snapshot-read.ts. Schedules are few, so what the log has
// messages for, the rule and the job, is left to the generated code: a field that is added there is
// kept here.

import type { JobSpec } from "../ledger/command.ts";
import type { KeptSchedule } from "../ledger/kept-schedule.ts";
import type { ScheduleRule } from "../ledger/schedule.ts";
import { JobSpec as LogSpec } from "../protos/gen/ledger/v1/command.ts";
import { ScheduleRule as LogRule } from "../protos/gen/ledger/v1/schedule.ts";
import { fromWireSpec, toWireSpec } from "./command-codec.ts";
import type { ProtoReader } from "./proto-reader.ts";
import type { ProtoWriter } from "./proto-writer.ts";
import { ruleFromLog, ruleToLog } from "./schedule-codec.ts";
import type { Writable } from "./snapshot-fields.ts";

export function writeSchedule(writer: ProtoWriter, schedule: KeptSchedule): void {
  writer.text(1, schedule.id);
  writer.bytes(2, LogRule.encode(ruleToLog(schedule.rule)).finish());
  writer.bytes(3, LogSpec.encode(toWireSpec(schedule.job)).finish());
  writer.uint(4, schedule.createdMs);
  writer.uint(5, schedule.number);
  writer.bool(6, schedule.isPaused);
  writer.uint(7, schedule.decidedMs);
  writer.uint(8, schedule.nextSlotMs);
  writer.bool(9, schedule.isOver);
  writer.uints(10, schedule.pending);
  writer.uint(11, schedule.firedSlotMs);
  writer.text(12, schedule.firedJobId);
  writer.uint(13, schedule.firedCount);
  writer.uint(14, schedule.skippedCount);
  writer.uint(15, schedule.missedCount);
  writer.uint(16, schedule.refusedCount);
  writer.uint(17, schedule.gapCount);
  writer.text(60, schedule.traceparent);
  writer.texts(61, schedule.pendingTraces);
  writer.uint(62, schedule.triggeredCount);
}

/** null: without a rule or a job it is none. */
export function readSchedule(from: ProtoReader): KeptSchedule | null {
  const pending: number[] = [];
  const pendingTraces: string[] = [];
  const rest: Writable<Omit<KeptSchedule, "rule" | "job">> = {
    id: "",
    createdMs: 0,
    number: 0,
    traceparent: "",
    isPaused: false,
    decidedMs: 0,
    nextSlotMs: 0,
    isOver: false,
    pending,
    pendingTraces,
    firedSlotMs: 0,
    firedJobId: "",
    firedCount: 0,
    skippedCount: 0,
    missedCount: 0,
    refusedCount: 0,
    triggeredCount: 0,
    gapCount: 0,
  };
  let rule: ScheduleRule | null = null;
  let job: JobSpec | null = null;
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) rest.id = from.text();
    else if (field === 2) rule = readRule(from.bytes());
    else if (field === 3) job = readSpec(from.bytes());
    else if (field === 4) rest.createdMs = from.uint();
    else if (field === 5) rest.number = from.uint();
    else if (field === 6) rest.isPaused = from.bool();
    else if (field === 7) rest.decidedMs = from.uint();
    else if (field === 8) rest.nextSlotMs = from.uint();
    else if (field === 9) rest.isOver = from.bool();
    else if (field === 10) from.uintsInto(pending);
    else if (field === 11) rest.firedSlotMs = from.uint();
    else if (field === 12) rest.firedJobId = from.text();
    else if (field === 13) rest.firedCount = from.uint();
    else if (field === 14) rest.skippedCount = from.uint();
    else if (field === 15) rest.missedCount = from.uint();
    else if (field === 16) rest.refusedCount = from.uint();
    else if (field === 17) rest.gapCount = from.uint();
    else if (field === 60) rest.traceparent = from.text();
    else if (field === 61) pendingTraces.push(from.text());
    else if (field === 62) rest.triggeredCount = from.uint();
    else from.skip();
  }
  return rule === null || job === null ? null : { ...rest, rule, job };
}

function readRule(bytes: Uint8Array): ScheduleRule | null {
  try {
    return ruleFromLog(LogRule.decode(bytes));
  } catch {
    // The generated decoder's only way to say "malformed" is to throw.
    return null;
  }
}

function readSpec(bytes: Uint8Array): JobSpec | null {
  try {
    const spec = fromWireSpec(LogSpec.decode(bytes));
    // Copied: it would keep the whole piece in memory.
    return { ...spec, payload: new Uint8Array(spec.payload) };
  } catch {
    // As above.
    return null;
  }
}
