// When a leader proposes that slots of schedules be decided: as soon as they have come.
//
// Guarantees: one command at a time; without a due slot it costs one look. A schedule whose rule
// this node cannot read is complained of once and stays as it is: the next leader may know better.
// Does not own: which slots those are (due-ticks.ts), what becomes of them (ledger/slots.ts), their
// traces (tick-spans.ts).

import type { CommandBody } from "../ledger/command.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Change } from "../ledger/result.ts";
import type { ScheduleTick } from "../ledger/schedule.ts";
import type { RequestId } from "../raft/input.ts";
import { dueTicks } from "./due-ticks.ts";
import type { Logger } from "./telemetry/logger.ts";
import { TickSpans } from "./tick-spans.ts";

export interface ScheduleKeeperOptions {
  readonly nodeName: string;
  readonly nowMs: () => number;
  readonly propose: (body: CommandBody) => RequestId;
  readonly logger?: Logger | undefined;
}

export class ScheduleKeeper {
  readonly #options: ScheduleKeeperOptions;
  /** The command that is proposed and not applied yet. */
  #openId: RequestId | null = null;
  readonly #unreadable = new Set<string>();
  readonly #spans: TickSpans;

  constructor(options: ScheduleKeeperOptions) {
    this.#options = options;
    this.#spans = new TickSpans(options.nodeName);
  }

  /** This node leads anew: what it proposed in another term is not waited for. */
  elected(): void {
    this.#openId = null;
  }

  /** Only while leading. */
  advance(ledger: Ledger): void {
    if (this.#openId !== null) return;
    const { nowMs, propose } = this.#options;
    const unreadable = (scheduleId: string): void => this.#complain(scheduleId);
    const ticks = dueTicks(ledger, nowMs(), unreadable, this.#unreadable.size);
    if (ticks.length === 0) return;
    const traced = this.#spans.begin(ledger, ticks);
    this.#openId = propose({ kind: "tick-schedules", ticks: traced });
  }

  refused(requestId: RequestId): void {
    if (requestId === this.#openId) this.#openId = null;
  }

  /** A command of this kind was applied. */
  ended(ledger: Ledger, ticks: readonly ScheduleTick[], changes: readonly Change[]): void {
    this.#openId = null;
    this.#spans.decided(ledger, ticks, changes);
  }

  #complain(scheduleId: string): void {
    if (this.#unreadable.has(scheduleId)) return;
    this.#unreadable.add(scheduleId);
    this.#options.logger?.error(
      { schedule_id: scheduleId },
      "this node cannot read the cron or time zone of a schedule: it has no slots for now",
    );
  }
}
