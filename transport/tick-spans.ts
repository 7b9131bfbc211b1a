// The spans of slots: where the trace of a scheduled job begins.
//
// Guarantees: each slot that gets a job, or waits for one, has a trace of its own, whose root ends
// when the slot is decided here, also if this node leads no more by then. A proposal that is lost
// leaves nothing: its spans are never ended, so nobody hears of them, and no job has their ids.
// What the sampler drops has ids and no span.
// Does not own: when slots are proposed (schedule-keeper.ts). One proposal at a time is followed:
// whoever proposes again has seen the end of the one before, or the end of its term.

import { getSchedule, type Ledger } from "../ledger/ledger.ts";
import type { Change } from "../ledger/result.ts";
import type { ScheduleTick } from "../ledger/schedule.ts";
import { AttributeName, SpanName } from "./telemetry/name.ts";
import { type Span, SpanKind, startRootSpan, traceparentOf } from "./telemetry/trace.ts";

export class TickSpans {
  readonly #nodeName: string;
  /** Of the last proposal, by the traceparent that the slot's job gets. */
  #open = new Map<string, Span>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** The same ticks, with a trace for each slot. */
  begin(ledger: Ledger, ticks: readonly ScheduleTick[]): readonly ScheduleTick[] {
    this.#open = new Map();
    return ticks.map((tick) => {
      const link = getSchedule(ledger, tick.scheduleId)?.traceparent ?? "";
      const traceparents = tick.slots.map((slotMs) => this.#beginSlot(tick, slotMs, link));
      return { ...tick, traceparents };
    });
  }

  /** They were applied, whoever proposed them. */
  decided(ledger: Ledger, ticks: readonly ScheduleTick[], changes: readonly Change[]): void {
    if (this.#open.size === 0) return;
    for (const { job, index } of changes) {
      this.#end(job.traceparent, "job", {
        [AttributeName.JobId]: job.id,
        [AttributeName.JobQueue]: job.queue,
        [AttributeName.RaftIndex]: index,
      });
    }
    for (const { scheduleId } of ticks) {
      const waiting = getSchedule(ledger, scheduleId)?.pendingTraces ?? [];
      for (const traceparent of waiting) this.#end(traceparent, "waiting", {});
    }
  }

  #beginSlot({ scheduleId }: ScheduleTick, slotMs: number, link: string): string {
    const span = startRootSpan({
      name: SpanName.ScheduleTick,
      kind: SpanKind.INTERNAL,
      link,
      attributes: {
        [AttributeName.ScheduleId]: scheduleId,
        [AttributeName.ScheduleSlot]: new Date(slotMs).toISOString(),
        [AttributeName.RaftNode]: this.#nodeName,
      },
    });
    const traceparent = traceparentOf(span);
    if (span.isRecording()) this.#open.set(traceparent, span);
    return traceparent;
  }

  #end(
    traceparent: string,
    outcome: "job" | "waiting",
    attributes: Readonly<Record<string, string | number>>,
  ): void {
    const span = this.#open.get(traceparent);
    if (span === undefined) return;
    this.#open.delete(traceparent);
    span.setAttributes({ [AttributeName.ScheduleOutcome]: outcome, ...attributes });
    span.end();
  }
}
