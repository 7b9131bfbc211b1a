// Whether a history is linearizable, by trying all orders: what the checker is tested against.
//
// Guarantees: deliberately dumb, and nothing shared with the checker but the model: every choice of
// operations of unknown outcome, every order of all that are left, times compared pair by pair. An
// order is dropped as soon as its beginning is wrong. For at most seven operations.

import assert from "node:assert";
import { type History, type Operation, precedes } from "./history.ts";
import type { Model } from "./model.ts";

const OPERATIONS_MAX = 7;

export function isLinearizable<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  history: History<Call, Outcome>,
): boolean {
  assert(history.length <= OPERATIONS_MAX, "brute force is for short histories");
  const known = history.filter(({ outcome }) => outcome !== "unknown");
  const unknown = history.filter(({ outcome }) => outcome === "unknown");
  for (let choice = 0; choice < 2 ** unknown.length; choice++) {
    const chosen = unknown.filter((_, position) => (choice & (1 << position)) !== 0);
    if (hasOrder(model, [model.initial()], [...known, ...chosen])) return true;
  }
  return false;
}

function hasOrder<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  states: readonly State[],
  left: History<Call, Outcome>,
): boolean {
  if (states.length === 0) return false;
  if (left.length === 0) return true;
  return left.some((next) => {
    const others = left.filter((operation) => operation !== next);
    if (others.some((other) => precedes(other, next))) return false;
    return hasOrder(model, statesAfter(model, states, next), others);
  });
}

function statesAfter<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  states: readonly State[],
  { call, outcome }: Operation<Call, Outcome>,
): readonly State[] {
  return states.flatMap((state) => model.step(state, call, outcome));
}
