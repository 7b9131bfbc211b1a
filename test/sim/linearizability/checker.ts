// Whether a history is linearizable: Wing and Gong's search with Lowe's memory.
//
//   place a candidate ──step possible, place is new──▶ next node        all placed: linearizable
//        ▲                    │ no
//        └── next candidate ◀─┘         none left: take the last one back; none to take: violated
//
// A read that fits is placed without a choice, and operations of unknown outcome only when it does
// not go without.
//
// Guarantees: "linearizable" comes with an order that proves it, "violated" only after every order
// was tried or shown equal to one that was; the budget counts steps of the model, not time, so a
// verdict depends on nothing but its arguments. Depth costs memory, not stack.
// Does not own: splitting a history into parts (history.ts), wording (text.ts).

import assert from "node:assert";
import { EntryList, NONE } from "./entry-list.ts";
import type { History, Operation } from "./history.ts";
import { Memo } from "./memo.ts";
import type { Model } from "./model.ts";

export interface CheckOptions {
  /** Steps of the model after which the search gives up. */
  readonly stepsMax?: number;
  /** False only to test the memory against a search without it. */
  readonly hasMemo?: boolean;
}

export type Verdict<State, Call, Outcome> =
  | {
      readonly kind: "linearizable";
      readonly steps: number;
      /** Without the operations of unknown outcome that need not have happened. */
      readonly order: History<Call, Outcome>;
    }
  | ({ readonly kind: "violated"; readonly steps: number } & Stuck<State, Call, Outcome>)
  | { readonly kind: "undecided"; readonly steps: number };

export interface Stuck<State, Call, Outcome> {
  /** No order of operations gets past its return, but one gets to it. */
  readonly stuck: Operation<Call, Outcome>;
  /** Whatever was called before that return: the smallest part that shows the violation. */
  readonly prefix: History<Call, Outcome>;
  /** The order that got there with the most known and the fewest other operations. */
  readonly order: History<Call, Outcome>;
  /** What the order leaves. */
  readonly state: State;
  /** Of the prefix, the known ones that are not in the order. */
  readonly unplaced: History<Call, Outcome>;
}

const STEPS_MAX_DEFAULT = 2_000_000;
/**
 * How many operations of unknown outcome may take effect, search by search: an order that needs few
 * is found before all choices of many are gone through, and most histories need few.
 */
const UNKNOWN_MAX: readonly number[] = [0, 1, 2, 4, Number.POSITIVE_INFINITY];

interface Limits extends Required<CheckOptions> {
  readonly unknownMax: number;
}

/** A node of the search: the operation placed, and the states that it may have led to. */
interface Frame<State> {
  readonly operation: number;
  readonly before: State;
  readonly states: readonly State[];
  /** How many of the states were tried. */
  tried: number;
  /** Placed because it cannot do harm: no other candidate need be tried in its stead. */
  readonly isForced: boolean;
}

/** A place from which nothing leads on. */
interface Dead<State> {
  readonly stuck: number;
  readonly order: readonly number[];
  readonly knownCount: number;
  readonly state: State;
}

export function check<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  history: History<Call, Outcome>,
  options: CheckOptions = {},
): Verdict<State, Call, Outcome> {
  const { stepsMax = STEPS_MAX_DEFAULT, hasMemo = true } = options;
  let steps = 0;
  for (const unknownMax of UNKNOWN_MAX) {
    const limits = { stepsMax: stepsMax - steps, hasMemo, unknownMax };
    const search = new Search(model, history, limits);
    const verdict = search.run();
    steps += verdict.steps;
    if (verdict.kind !== "violated" || !search.wasLimited) return { ...verdict, steps };
  }
  assert.fail("the last search has no limit");
}

class Search<State, Call, Outcome> {
  readonly #model: Model<State, Call, Outcome>;
  readonly #history: History<Call, Outcome>;
  readonly #list: EntryList;
  readonly #memo: Memo | null;
  readonly #stepsMax: number;
  readonly #unknownMax: number;
  #unknownCount = 0;
  /** Whether an operation was not tried because of `unknownMax`. */
  wasLimited = false;
  readonly #frames: Frame<State>[] = [];
  #state: State;
  #stateKey: string;
  #steps = 0;
  #furthest: Dead<State> | null = null;

  constructor(
    model: Model<State, Call, Outcome>,
    history: History<Call, Outcome>,
    { stepsMax, hasMemo, unknownMax }: Limits,
  ) {
    this.#model = model;
    this.#history = history;
    this.#list = new EntryList(history, (operation) => this.#isRead(operation));
    this.#memo = hasMemo ? new Memo(history.length) : null;
    this.#stepsMax = stepsMax;
    this.#unknownMax = unknownMax;
    this.#state = model.initial();
    this.#stateKey = model.key(this.#state);
  }

  run(): Verdict<State, Call, Outcome> {
    let isNew = true;
    let candidate = NONE;
    for (;;) {
      if (this.#list.isEmpty) {
        const order = this.#operations(this.#frames.map(({ operation }) => operation));
        return { kind: "linearizable", steps: this.#steps, order };
      }
      if (this.#steps > this.#stepsMax) return { kind: "undecided", steps: this.#steps };
      const forced = isNew ? this.#forced() : null;
      if (forced !== null) {
        isNew = this.#advance(forced);
        if (isNew) continue;
        candidate = NONE;
      } else {
        candidate = this.#candidateAfter(candidate);
        if (candidate !== NONE) {
          const before = this.#state;
          const states = this.#step(candidate);
          const frame = { operation: candidate, before, states, tried: 0, isForced: false };
          isNew = this.#advance(frame);
          if (isNew) candidate = NONE;
          continue;
        }
      }
      // Nothing can come next here, so the last operation does not belong here either.
      this.#noteFurthest();
      const last = this.#takeBack();
      if (last === null) return { kind: "violated", steps: this.#steps, ...this.#stuck() };
      isNew = last.isAdvanced;
      candidate = last.isAdvanced ? NONE : last.operation;
    }
  }

  /** Takes operations back until another state of one, or another candidate, can be tried. */
  #takeBack(): { operation: number; isAdvanced: boolean } | null {
    for (;;) {
      const frame = this.#frames.pop();
      if (frame === undefined) return null;
      this.#list.unlift(frame.operation);
      if (this.#isUnknown(frame.operation)) this.#unknownCount -= 1;
      this.#memo?.flip(frame.operation);
      this.#enter(frame.before, this.#model.key(frame.before));
      if (this.#advance(frame)) return { operation: frame.operation, isAdvanced: true };
      if (!frame.isForced) return { operation: frame.operation, isAdvanced: false };
    }
  }

  /** Places the frame's operation if one of its states leads to where the search has not been. */
  #advance(frame: Frame<State>): boolean {
    const { operation, states } = frame;
    const isUnknown = this.#isUnknown(operation);
    this.#memo?.flip(operation);
    while (frame.tried < states.length) {
      const state = states[frame.tried] as State;
      frame.tried += 1;
      const key = this.#model.key(state);
      // What may be left out and changes nothing is left out.
      if (isUnknown && key === this.#stateKey) continue;
      if (this.#memo !== null && !this.#memo.add(key)) continue;
      this.#list.lift(operation);
      if (isUnknown) this.#unknownCount += 1;
      this.#frames.push(frame);
      this.#enter(state, key);
      return true;
    }
    this.#memo?.flip(operation);
    return false;
  }

  #candidateAfter(operation: number): number {
    const candidate = this.#list.candidateAfter(operation);
    if (this.#unknownCount < this.#unknownMax) return candidate;
    if (candidate === NONE || !this.#isUnknown(candidate)) return candidate;
    this.wasLimited = true;
    return NONE;
  }

  /** A read that fits the state as it is: placing it first excludes nothing that may follow. */
  #forced(): Frame<State> | null {
    if (this.#model.isRead === undefined) return null;
    let operation = this.#list.knownCandidateAfter(NONE);
    for (; operation !== NONE; operation = this.#list.knownCandidateAfter(operation)) {
      if (!this.#isRead(operation)) continue;
      const states = this.#step(operation);
      const [only] = states;
      if (states.length !== 1 || this.#model.key(only as State) !== this.#stateKey) continue;
      return { operation, before: this.#state, states, tried: 0, isForced: true };
    }
    return null;
  }

  #isUnknown(operation: number): boolean {
    return this.#operation(operation).outcome === "unknown";
  }

  #isRead(operation: number): boolean {
    return this.#model.isRead?.(this.#operation(operation).call) ?? false;
  }

  #step(operation: number): readonly State[] {
    this.#steps += 1;
    const { call, outcome } = this.#operation(operation);
    return this.#model.step(this.#state, call, outcome);
  }

  #enter(state: State, key: string): void {
    this.#state = state;
    this.#stateKey = key;
  }

  #noteFurthest(): void {
    const stuck = this.#list.firstReturning();
    const knownCount = this.#frames.length - this.#unknownCount;
    const best = this.#furthest;
    if (best !== null) {
      const lead = this.#list.returnPosition(stuck) - this.#list.returnPosition(best.stuck);
      const more = lead || knownCount - best.knownCount || best.order.length - this.#frames.length;
      if (more <= 0) return;
    }
    const order = this.#frames.map(({ operation }) => operation);
    this.#furthest = { stuck, order, knownCount, state: this.#state };
  }

  #stuck(): Stuck<State, Call, Outcome> {
    assert(this.#furthest !== null, "a search that ends has come to an end somewhere");
    const { stuck, order, state } = this.#furthest;
    const limit = this.#list.returnPosition(stuck);
    const all = this.#history.keys().toArray();
    const prefix = all.filter((operation) => this.#list.callPosition(operation) < limit);
    const unplaced = prefix.filter(
      (operation) => !order.includes(operation) && this.#operation(operation).outcome !== "unknown",
    );
    return {
      stuck: this.#operation(stuck),
      prefix: this.#operations(prefix),
      order: this.#operations(order),
      state,
      unplaced: this.#operations(unplaced),
    };
  }

  #operations(positions: readonly number[]): History<Call, Outcome> {
    return positions.map((position) => this.#operation(position));
  }

  #operation(position: number): Operation<Call, Outcome> {
    return this.#history[position] as Operation<Call, Outcome>;
  }
}
