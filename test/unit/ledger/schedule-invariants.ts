// What must hold of schedules after every command, looked up the slow way.
//
// Guarantees: as invariants.ts, of which this is a part.

import assert from "node:assert/strict";
import { isTerminal } from "../../../ledger/job.ts";
import { dueSchedules, type Ledger } from "../../../ledger/ledger.ts";
import type { JobRecord } from "../../../ledger/record.ts";
import type { Schedule } from "../../../ledger/schedule.ts";

export class ScheduleInvariants {
  /** Schedule and its number to what was decided. */
  readonly #decided = new Map<string, number>();

  /** Decided is decided: the moment never goes back, and no slot behind it gets a job. */
  check({ schedules, jobs }: Ledger): void {
    for (const { id, number, decidedMs } of schedules.values()) {
      const name = `${id} of ${number}`;
      assert.ok(decidedMs >= (this.#decided.get(name) ?? 0), `${name} decides again`);
      this.#decided.set(name, decidedMs);
    }
    if (schedules.size === 0) return;
    const made = [...jobs].filter(({ scheduleId }) => scheduleId !== "");
    for (const schedule of schedules.values()) checkFired(schedule, made);
  }
}

/** What can be seen of a ledger without its history. */
export function checkSchedules(ledger: Ledger): void {
  const made = [...ledger.jobs].filter(({ scheduleId }) => scheduleId !== "");
  const ofSlots = made.filter(({ slotMs }) => slotMs > 0);
  const slots = ofSlots.map(({ scheduleId, slotMs }) => `${scheduleId} ${slotMs}`);
  assert.equal(new Set(slots).size, slots.length, "a slot has two jobs");
  for (const { slotMs, createdMs } of made) assert.ok(slotMs <= createdMs);
  checkOpen(ledger);
  let lastNumber = 0;
  for (const [id, schedule] of ledger.schedules) {
    const { rule, pending, pendingTraces, decidedMs, nextSlotMs, isOver, number, createdMs } =
      schedule;
    assert.equal(schedule.id, id);
    assert.ok(number > lastNumber && createdMs <= decidedMs);
    lastNumber = number;
    assert.ok(nextSlotMs === 0 || (nextSlotMs > decidedMs && !isOver));
    assert.ok(pending.length === 0 || rule.overlap === "queue");
    assert.equal(pendingTraces.length, pending.length);
    assert.ok(pending.every((slotMs, at) => slotMs > (pending[at - 1] ?? schedule.firedSlotMs)));
    const own = made.filter((job) => job.scheduleId === id);
    for (const { slotMs } of own) assert.ok(slotMs <= decidedMs && slotMs < (pending[0] ?? 1e308));
    const open = ledger.openSlots.get(id) ?? 0;
    assert.ok(pending.length === 0 || open > 0 || schedule.isPaused, `${id} is stranded`);
  }
  const waiting = [...ledger.schedules.values()].filter((one) => !one.isPaused && !one.isOver);
  const due = dueSchedules(ledger, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY);
  assert.deepEqual(due.map(({ id }) => id).sort(), waiting.map(({ id }) => id).sort());
  const [firstMs] = waiting.map((one) => one.nextSlotMs).sort((one, other) => one - other);
  assert.equal(ledger.schedulesDue.first()?.rank, firstMs);
}

/** Its jobs, but for those that are forgotten, are among those that it has counted. */
function checkFired(schedule: Schedule, jobs: readonly JobRecord[]): void {
  const { id, number, firedCount, firedJobId, firedSlotMs, triggeredCount } = schedule;
  const all = jobs.filter(({ scheduleId, logIndex }) => scheduleId === id && logIndex > number);
  const own = all.filter(({ slotMs }) => slotMs > 0);
  assert.ok(triggeredCount >= all.length - own.length, "one by hand is not counted");
  const last = own.at(-1);
  assert.ok(firedCount >= own.length && firedSlotMs >= (last?.slotMs ?? 0));
  if (last?.slotMs === firedSlotMs) assert.equal(last.id, firedJobId);
}

function checkOpen({ jobs, openSlots }: Ledger): void {
  const open = new Map<string, number>();
  for (const { scheduleId, state } of jobs) {
    if (scheduleId === "" || isTerminal(state)) continue;
    open.set(scheduleId, (open.get(scheduleId) ?? 0) + 1);
  }
  // Not as objects: an id may be __proto__.
  assert.deepEqual([...openSlots].toSorted(), [...open].toSorted());
}
