// A quorum of one in this process, on a clock that is moved by hand: the Quorum port over the real
// ledger.
//
// Guarantees: each command takes the real way through check, encoding and apply, and each answer
// through its wire form. Nothing is kept on a disk and nobody else is asked: it is for tests.
// Events come in a later turn of the loop, as over the broker.
// Does not own: time (virtual-clock.ts), nor when ticks come (test-pipeline.ts).

import { setImmediate } from "node:timers";
import type { CommandBody, Kind } from "../../ledger/command.ts";
import { apply, counts, createLedger, type Ledger, nextDueMs } from "../../ledger/ledger.ts";
import {
  Applied as WireApplied,
  type Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../../protos/gen/node/v1/exchange.ts";
import { GetClusterResponse } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import { checkCommand } from "../../transport/command-check.ts";
import { commandBodyToWire, decodeCommand, encodeCommand } from "../../transport/command-codec.ts";
import { LeaderClock } from "../../transport/leader-clock.ts";
import { LedgerTicker } from "../../transport/ledger-ticker.ts";
import { eventsOf, isLockEvent, type QuorumEvent } from "../../transport/lock-event.ts";
import type {
  AdministerOutcome,
  JobEvent,
  LeaderView,
  LockEvent,
  ProposeOutcome,
  Quorum,
  ReadOutcome,
} from "../../transport/quorum.ts";
import { answerRead } from "../../transport/read-server.ts";
import { toWireApplied } from "../../transport/result-codec.ts";
import type { Clock } from "../clock.ts";

const NODE = "test";
const TERM = 1;

export class VirtualQuorum implements Quorum {
  readonly ledger: Ledger = createLedger();
  readonly #clock: LeaderClock;
  readonly #eventListeners = new Set<(event: JobEvent) => void>();
  readonly #lockListeners = new Set<(event: LockEvent) => void>();
  #index = 0;
  #change = Promise.withResolvers<void>();

  /** What a leader proposes by itself: ticks, and the slots of schedules. */
  readonly #ticker: LedgerTicker;
  #proposed: CommandBody[] = [];

  constructor(clock: Clock) {
    const nowMs = (): number => clock.nowMs();
    const sources = { wallMs: nowMs, monotonicMs: nowMs };
    this.#clock = new LeaderClock(() => this.ledger.clockMs, sources);
    this.#ticker = new LedgerTicker({
      nodeName: NODE,
      clock: this.#clock,
      propose: (body) => this.#proposed.push(body),
    });
    this.#ticker.elected();
    this.#applyProposed();
  }

  /** The last entry: whether it has changed tells whether anything has. */
  get index(): number {
    return this.#index;
  }

  /** Resolves at the next command. */
  changed(): Promise<void> {
    return this.#change.promise;
  }

  propose(body: CommandBody): Promise<ProposeOutcome> {
    const checked = checkCommand(commandBodyToWire(body));
    if ("malformed" in checked) return Promise.reject(new Error(checked.malformed));
    const bytes = WireApplied.encode(this.#apply(checked.ok)).finish();
    return Promise.resolve({ kind: "applied", applied: WireApplied.decode(bytes) });
  }

  read(read: WireRead): Promise<ReadOutcome> {
    const cluster = GetClusterResponse.fromPartial({
      cluster: NODE,
      leaderId: NODE,
      term: TERM,
      commitIndex: this.#index,
      appliedIndex: this.#index,
      counts: counts(this.ledger),
    });
    const noLog = { entries: [], firstLogIndex: this.#index + 1 };
    const answer = answerRead(this.ledger, read, this.#index, cluster, () => noLog);
    const bytes = WireReadAnswer.encode(answer).finish();
    return Promise.resolve({ kind: "answered", answer: WireReadAnswer.decode(bytes) });
  }

  /** There is nothing to operate. */
  administer(): Promise<AdministerOutcome> {
    return Promise.resolve({ kind: "unavailable", reason: "no-leader" });
  }

  leader(): LeaderView {
    return { leader: NODE, term: TERM };
  }

  onLeader(): () => void {
    return () => undefined;
  }

  onEvent(listener: (event: JobEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  onLockEvent(listener: (event: LockEvent) => void): () => void {
    this.#lockListeners.add(listener);
    return () => this.#lockListeners.delete(listener);
  }

  onEventGap(): () => void {
    return () => undefined;
  }

  close(): Promise<void> {
    this.#eventListeners.clear();
    this.#lockListeners.clear();
    return Promise.resolve();
  }

  register(kinds: readonly Kind[]): void {
    this.#apply({ kind: "register-kinds", kinds });
  }

  /** When the leader has something to do next; null: never, as it is now. */
  nextMs(): number | null {
    const dueMs = nextDueMs(this.ledger) ?? Number.POSITIVE_INFINITY;
    const slotMs = this.ledger.schedulesDue.first()?.rank ?? Number.POSITIVE_INFINITY;
    const nextMs = Math.min(dueMs, slotMs);
    return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
  }

  /** What the leader proposes when something is due. */
  tickIfDue(): void {
    this.#ticker.advance(this.ledger);
    this.#applyProposed();
  }

  /** After the ticker is done: only then does it know what it has proposed. */
  #applyProposed(): void {
    const bodies = this.#proposed;
    this.#proposed = [];
    for (const body of bodies) this.#apply(body);
  }

  #apply(body: CommandBody): WireApplied {
    const timeMs = this.#clock.nowMs();
    this.#index += 1;
    // The least jitter, the same in each run.
    const command = decodeCommand(encodeCommand({ timeMs, random: 0, body }));
    const applied = apply(this.ledger, this.#index, command);
    // Made now: the jobs are the ledger's own and go on changing.
    const events = eventsOf(applied, TERM, timeMs);
    if (events.length > 0) setImmediate(() => this.#publish(events));
    this.#ticker.applied(this.ledger, command.body, applied.changes);
    this.#change.resolve();
    this.#change = Promise.withResolvers();
    return toWireApplied(this.#index, applied.result);
  }

  #publish(events: readonly QuorumEvent[]): void {
    for (const event of events) {
      if (isLockEvent(event)) for (const listener of this.#lockListeners) listener(event);
      else for (const listener of this.#eventListeners) listener(event);
    }
  }
}
