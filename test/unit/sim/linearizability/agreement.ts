// Checker and brute force on the same history.

import { isLinearizable } from "../../../sim/linearizability/brute-force.ts";
import { check } from "../../../sim/linearizability/checker.ts";
import { type History, type Operation, precedes } from "../../../sim/linearizability/history.ts";
import type { Model } from "../../../sim/linearizability/model.ts";

export interface Tally {
  linearizable: number;
  violated: number;
}

/** What they disagree on, in words; null: nothing. Counts the verdict. */
export function disagreement<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  history: History<Call, Outcome>,
  tally: Tally,
): string | null {
  const verdict = check(model, history);
  const plain = check(model, history, { hasMemo: false });
  const isGood = isLinearizable(model, history);
  if (verdict.kind !== plain.kind) return `with memory ${verdict.kind}, without ${plain.kind}`;
  if ((verdict.kind === "linearizable") !== isGood) return `${verdict.kind}, brute force ${isGood}`;
  if (verdict.kind === "linearizable") {
    tally.linearizable += 1;
    return isWitness(model, history, verdict.order) ? null : "the order given is none";
  }
  tally.violated += 1;
  if (verdict.kind !== "violated") return "the budget ran out";
  // What is shown as the violation has to be one by itself.
  return isLinearizable(model, verdict.prefix) ? "the prefix shown is linearizable" : null;
}

/** Whether the order proves that the history is linearizable. */
export function isWitness<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  history: History<Call, Outcome>,
  order: History<Call, Outcome>,
): boolean {
  const isWhole = history.every((one) => one.outcome === "unknown" || order.includes(one));
  const isOnce = new Set(order).size === order.length;
  const isTimely = order.every((one, at) =>
    order.slice(at).every((later) => !precedes(later, one)),
  );
  let states: readonly State[] = [model.initial()];
  for (const { call, outcome } of order as readonly Operation<Call, Outcome>[]) {
    states = states.flatMap((state) => model.step(state, call, outcome));
  }
  return isWhole && isOnce && isTimely && states.length > 0;
}
