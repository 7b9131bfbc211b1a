// When a leader proposes that slots of schedules be decided: as soon as they have come.
//
// Guarantees: one command at a time; without a due slot it costs one look. A schedule whose rule
// this node cannot read is complained of once and stays as it is: the next leader may know better.
// Does not own: which slots those are (due-ticks.ts), what becomes of them (ledger/slots.ts).

import type { CommandBody } from "../ledger/command.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RequestId } from "../raft/input.ts";
import { dueTicks } from "./due-ticks.ts";
import type { Logger } from "./telemetry/logger.ts";

export interface ScheduleKeeperOptions {
  readonly nowMs: () => number;
  readonly propose: (body: CommandBody) => RequestId;
  readonly logger?: Logger | undefined;
}

export class ScheduleKeeper {
  readonly #options: ScheduleKeeperOptions;
  /** The command that is proposed and not applied yet. */
  #openId: RequestId | null = null;
  readonly #unreadable = new Set<string>();

  constructor(options: ScheduleKeeperOptions) {
    this.#options = options;
  }

  /** This node leads anew: what it proposed in another term is not waited for. */
  elected(): void {
    this.#openId = null;
  }

  /** Only while leading. */
  advance(ledger: Ledger): void {
    if (this.#openId !== null) return;
    const { nowMs, propose } = this.#options;
    const ticks = dueTicks(ledger, nowMs(), (scheduleId) => this.#complain(scheduleId));
    if (ticks.length > 0) this.#openId = propose({ kind: "tick-schedules", ticks });
  }

  refused(requestId: RequestId): void {
    if (requestId === this.#openId) this.#openId = null;
  }

  /** A command of this kind was applied. */
  ended(): void {
    this.#openId = null;
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
