// What a leader proposes by itself: its first command, a tick as soon as something in the ledger is
// due, the slots of schedules, and that finished jobs be forgotten; one of each at a time.
//
// Guarantees: a leader whose first command was refused (it was handing over, or overloaded)
// proposes it again: without it, nothing would fall due for the rest of the term. A wall clock that
// leapt forward is told to the ledger before the tick, so that no lease ends because it was set.
// Does not own: what these commands bring about (ledger/tick.ts).

import type { CommandBody } from "../ledger/command.ts";
import { type Ledger, nextDueMs } from "../ledger/ledger.ts";
import type { Change } from "../ledger/result.ts";
import type { RequestId } from "../raft/input.ts";
import type { LeaderClock } from "./leader-clock.ts";
import { type Retention, RetentionKeeper } from "./retention-keeper.ts";
import { ScheduleKeeper } from "./schedule-keeper.ts";
import type { Logger } from "./telemetry/logger.ts";

export interface LedgerTickerOptions {
  readonly nodeName: string;
  readonly clock: LeaderClock;
  readonly propose: (body: CommandBody) => RequestId;
  /** Absent: nothing is ever forgotten. */
  readonly retention?: Retention | undefined;
  readonly logger?: Logger | undefined;
}

export class LedgerTicker {
  readonly #options: LedgerTickerOptions;
  readonly #keeper: RetentionKeeper | null;
  readonly #schedules: ScheduleKeeper;
  /** The tick that is proposed and not applied yet. */
  #openId: RequestId | null = null;
  /** The command that opens the term, proposed last. */
  #termId: RequestId | null = null;
  /** It was refused. */
  #mustOpenTerm = false;

  constructor(options: LedgerTickerOptions) {
    this.#options = options;
    const { nodeName, retention, propose, clock, logger } = options;
    const nowMs = (): number => clock.nowMs();
    this.#keeper = retention ? new RetentionKeeper({ retention, propose, nowMs }) : null;
    this.#schedules = new ScheduleKeeper({ nodeName, propose, nowMs, logger });
  }

  /** This node is the leader of a new term. */
  elected(): void {
    this.#openId = null;
    this.#keeper?.elected();
    this.#schedules.elected();
    this.#openTerm();
  }

  /** Only while this node is the leader. */
  reopen(): void {
    if (this.#mustOpenTerm) this.#openTerm();
  }

  #openTerm(): void {
    const { propose, nodeName } = this.#options;
    this.#mustOpenTerm = false;
    this.#termId = propose({ kind: "open-term", leader: nodeName });
  }

  /** Only while leading. */
  advance(ledger: Ledger): void {
    const { clock, propose } = this.#options;
    this.#keeper?.advance(ledger);
    this.#schedules.advance(ledger);
    if (this.#openId !== null) return;
    const dueMs = nextDueMs(ledger);
    if (dueMs === null || dueMs > clock.nowMs()) return;
    if (clock.takeLeap()) this.#openTerm();
    this.#openId = propose({ kind: "tick" });
  }

  refused(requestId: RequestId): void {
    this.#keeper?.refused(requestId);
    this.#schedules.refused(requestId);
    if (requestId === this.#openId) this.#openId = null;
    if (requestId !== this.#termId) return;
    this.#termId = null;
    this.#mustOpenTerm = true;
  }

  /** A command was applied to the ledger, of whoever proposed it. */
  applied(ledger: Ledger, body: CommandBody, changes: readonly Change[]): void {
    if (body.kind === "tick") this.#openId = null;
    if (body.kind === "forget-jobs") this.#keeper?.ended();
    if (body.kind === "tick-schedules") this.#schedules.ended(ledger, body.ticks, changes);
  }
}
