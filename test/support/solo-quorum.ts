// A quorum of one, in this process and without a disk: the Quorum port over a real ledger.
//
// Guarantees: every command takes the real way through check, encoding and apply, and every answer
// through its wire form, so what passes here has nothing left but the network to fail on. Events
// come in a later turn of the loop, as over the broker. Time passes by itself (leases end, delayed
// jobs fall due), and can be brought forward with `advance`.
// Does not own: durability, elections, retries. `interrupt` stands for all of those.

import { setImmediate } from "node:timers";
import type { CommandBody } from "../../ledger/command.ts";
import {
  apply,
  counts,
  createLedger,
  hash,
  type Ledger,
  nextDueMs,
  nextSlotDueMs,
} from "../../ledger/ledger.ts";
import type { Applied, Change } from "../../ledger/result.ts";
import {
  Administered as WireAdministered,
  Applied as WireApplied,
  type Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../../protos/gen/node/v1/exchange.ts";
import { type Entry, EntryKind } from "../../raft/message.ts";
import { checkCommand } from "../../transport/command-check.ts";
import { commandBodyToWire, decodeCommand, encodeCommand } from "../../transport/command-codec.ts";
import { dueTicks } from "../../transport/due-ticks.ts";
import { eventsOf, isLockEvent } from "../../transport/lock-event.ts";
import { logEntryOf } from "../../transport/log-entry.ts";
import type {
  AdministerAction,
  AdministerOutcome,
  CallOptions,
  JobEvent,
  LeaderView,
  LockEvent,
  ProposeOutcome,
  Quorum,
  ReadOutcome,
  Unanswered,
} from "../../transport/quorum.ts";
import { answerRead } from "../../transport/read-server.ts";
import { toWireApplied } from "../../transport/result-codec.ts";
import { SoloMembership, type SoloState } from "./solo-membership.ts";

export interface SoloQuorumOptions {
  /** Wall clock; default Date.now. `advance` adds to it. */
  readonly now?: () => number;
  /** 32 bits; default 0, so that backoffs are the same in each run. */
  readonly random?: () => number;
}

const NODE = "solo";
const TERM = 1;

export class SoloQuorum implements Quorum {
  readonly ledger: Ledger = createLedger();
  /** The commands proposed by clients, in order: what a test may assert on. */
  readonly proposed: CommandBody[] = [];
  readonly membership = new SoloMembership(NODE);
  /** The log behind its compacted part. */
  readonly entries: Entry[] = [];
  readonly #options: SoloQuorumOptions;
  readonly #eventListeners = new Set<(event: JobEvent) => void>();
  readonly #lockEventListeners = new Set<(event: LockEvent) => void>();
  readonly #gapListeners = new Set<() => void>();
  readonly #leaderListeners = new Set<(view: LeaderView) => void>();
  readonly #proposalChecks = new Set<() => void>();
  readonly #changeListeners = new Set<(changes: readonly Change[]) => void>();
  #index = 0;
  #aheadMs = 0;
  #interruption: Unanswered | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: SoloQuorumOptions = {}) {
    this.#options = options;
  }

  propose(body: CommandBody, options: CallOptions): Promise<ProposeOutcome> {
    const unanswered = this.#unanswered(options);
    if (unanswered !== null) return Promise.resolve(unanswered);
    const checked = checkCommand(commandBodyToWire(body));
    if ("malformed" in checked) return Promise.reject(new Error(checked.malformed));
    this.proposed.push(checked.ok);
    for (const check of this.#proposalChecks) check();
    const { result } = this.apply(checked.ok);
    const bytes = WireApplied.encode(toWireApplied(this.#index, result)).finish();
    return Promise.resolve({ kind: "applied", applied: WireApplied.decode(bytes) });
  }

  read(read: WireRead, options: CallOptions): Promise<ReadOutcome> {
    const unanswered = this.#unanswered(options);
    if (unanswered !== null) return Promise.resolve(unanswered);
    const bytes = WireReadAnswer.encode(this.answer(read)).finish();
    return Promise.resolve({ kind: "answered", answer: WireReadAnswer.decode(bytes) });
  }

  administer(action: AdministerAction, options: CallOptions): Promise<AdministerOutcome> {
    const unanswered = this.#unanswered(options);
    if (unanswered !== null) return Promise.resolve(unanswered);
    const bytes = WireAdministered.encode(this.fulfil(action)).finish();
    const outcome = WireAdministered.decode(bytes);
    return Promise.resolve({ kind: "administered", outcome, isRepeat: false });
  }

  leader(): LeaderView {
    const { leaderId } = this.membership;
    return { leader: this.#interruption === null ? leaderId : null, term: TERM };
  }

  onLeader(listener: (view: LeaderView) => void): () => void {
    this.#leaderListeners.add(listener);
    return () => this.#leaderListeners.delete(listener);
  }

  onEvent(listener: (event: JobEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  onLockEvent(listener: (event: LockEvent) => void): () => void {
    this.#lockEventListeners.add(listener);
    return () => this.#lockEventListeners.delete(listener);
  }

  onEventGap(listener: () => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }

  /** The committed changes with the ledger's own jobs, as the dispatcher gets them. Synchronous. */
  onChanges(listener: (changes: readonly Change[]) => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Resolves when clients have proposed so many commands of this kind, from the beginning on. */
  untilProposed(kind: CommandBody["kind"], count: number): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.proposed.filter((body) => body.kind === kind).length < count) return;
        this.#proposalChecks.delete(check);
        resolve();
      };
      this.#proposalChecks.add(check);
      check();
    });
  }

  /** Until `restore`, calls end with this outcome and nothing happens. */
  interrupt(outcome: Unanswered): void {
    this.#interruption = outcome;
    for (const listener of this.#leaderListeners) listener(this.leader());
  }

  restore(): void {
    this.#interruption = null;
    for (const listener of this.#leaderListeners) listener(this.leader());
    for (const listener of this.#gapListeners) listener();
  }

  /** Lets this much time pass for the ledger, at once. */
  advance(ms: number): void {
    this.#aheadMs += ms;
    this.apply({ kind: "tick" });
    this.#tickSchedules();
  }

  /** A read as the leader answers it. */
  answer(read: WireRead): WireReadAnswer {
    const isCluster = read.read?.$case === "cluster";
    const cluster = isCluster ? this.membership.view(this.#state()) : undefined;
    return answerRead(this.ledger, read, this.#index, cluster, (fromIndex, entriesMax) => {
      const entries = this.entries.filter(({ index }) => index >= fromIndex).slice(0, entriesMax);
      return { entries: entries.map(logEntryOf), firstLogIndex: this.#firstLogIndex() };
    });
  }

  /** A wish as the leader fulfils it. */
  fulfil(action: AdministerAction): WireAdministered {
    const administered = this.membership.administer(action, this.#state());
    if (administered.outcome?.$case === "takeSnapshot") this.entries.length = 0;
    return administered;
  }

  /** The last entry applied. */
  get index(): number {
    return this.#index;
  }

  nowMs(): number {
    return (this.#options.now ?? Date.now)() + this.#aheadMs;
  }

  /** Applies any command, also those that only a leader proposes, as the next entry. */
  apply(body: CommandBody): Applied {
    const timeMs = this.nowMs();
    const random = this.#options.random?.() ?? 0;
    this.#index += 1;
    const data = encodeCommand({ timeMs, random, body });
    const kind = EntryKind.Command;
    this.entries.push({ index: this.#index, term: TERM, kind, data, traceparent: "" });
    const command = decodeCommand(data);
    const applied = apply(this.ledger, this.#index, command);
    this.#publish(applied, timeMs);
    this.#scheduleTick();
    return applied;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    return Promise.resolve();
  }

  #unanswered({ signal }: CallOptions): Unanswered | null {
    if (this.#isClosed || signal?.aborted === true) {
      return { kind: "unavailable", reason: "shutting-down" };
    }
    return this.#interruption;
  }

  #firstLogIndex(): number {
    return this.entries[0]?.index ?? this.#index + 1;
  }

  #state(): SoloState {
    return {
      index: this.#index,
      term: TERM,
      firstLogIndex: this.#firstLogIndex(),
      counts: counts(this.ledger),
      hash: hash(this.ledger),
    };
  }

  #publish(applied: Applied, timeMs: number): void {
    const { changes } = applied;
    if (changes.length > 0) for (const listener of this.#changeListeners) listener(changes);
    // Made now: the jobs are the ledger's own and go on changing.
    const events = eventsOf(applied, TERM, timeMs);
    if (events.length === 0) return;
    setImmediate(() => {
      if (this.#isClosed) return;
      for (const event of events) {
        if (isLockEvent(event)) for (const listener of this.#lockEventListeners) listener(event);
        else for (const listener of this.#eventListeners) listener(event);
      }
    });
  }

  #scheduleTick(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const [jobsMs, slotsMs] = [nextDueMs(this.ledger), nextSlotDueMs(this.ledger)];
    const dueMs = Math.min(jobsMs ?? Number.POSITIVE_INFINITY, slotsMs ?? Number.POSITIVE_INFINITY);
    if (this.#isClosed || !Number.isFinite(dueMs)) return;
    const delayMs = Math.min(Math.max(1, dueMs - this.nowMs() + 1), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      if (dueMs === jobsMs) this.apply({ kind: "tick" });
      this.#tickSchedules();
    }, delayMs);
    this.#timer.unref();
  }

  /** What the leader proposes when slots have come. */
  #tickSchedules(): void {
    const ticks = dueTicks(this.ledger, this.nowMs(), (scheduleId) => {
      throw new Error(`${scheduleId} cannot be read`);
    });
    if (ticks.length > 0) this.apply({ kind: "tick-schedules", ticks });
  }
}
