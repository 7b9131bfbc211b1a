// A violation, to be read by whoever has to find the bug.
//
//   key order-7: no order of these operations gets past (3)
//     (1) |--|         0..3  c1  submit -> submitted
//     (2)    |-------. 3..   c2  cancel -> unknown
//     (3)      |-----| 5..9  c1  get -> job-not-found
//   longest order: (1); that leaves queued
//   cannot be placed then: (3)
//
// Guarantees: only the operations that matter, in the order of their calls, with their times.
// Does not own: what an operation is called beyond its JSON, unless it is told.

import type { Failure, PartsVerdict } from "./check-parts.ts";
import type { Stuck } from "./checker.ts";
import type { History, Operation } from "./history.ts";

export interface Words<State, Call, Outcome> {
  readonly call?: (call: Call) => string;
  readonly outcome?: (outcome: Outcome) => string;
  readonly state?: (state: State) => string;
}

const BAR_COLUMNS = 32;

/** Several lines; "" if there is nothing to tell. */
export function partsText<State, Call, Outcome>(
  verdict: PartsVerdict<State, Call, Outcome>,
  words: Words<State, Call, Outcome> = {},
): string {
  return verdict.failures.map((failure) => failureText(failure, words)).join("\n");
}

function failureText<State, Call, Outcome>(
  { part, verdict }: Failure<State, Call, Outcome>,
  words: Words<State, Call, Outcome>,
): string {
  if (verdict.kind === "violated") return `${part}: ${stuckText(verdict, words)}`;
  return `${part}: undecided after ${verdict.steps} steps`;
}

export function stuckText<State, Call, Outcome>(
  { stuck, prefix, order, state, unplaced }: Stuck<State, Call, Outcome>,
  words: Words<State, Call, Outcome> = {},
): string {
  const shown = prefix.toSorted((a, b) => a.calledAt - b.calledAt);
  const list = (operations: History<Call, Outcome>): string =>
    operations.map((one) => `(${shown.indexOf(one) + 1})`).join(" ") || "none";
  const timeOf = scale(shown, stuck.returnedAt);
  const lines = shown.map((operation, position) => {
    const { call, outcome, client } = operation;
    const asked = words.call?.(call) ?? JSON.stringify(call);
    const told =
      outcome === "unknown" ? outcome : (words.outcome?.(outcome) ?? JSON.stringify(outcome));
    const times = `${operation.calledAt}..${outcome === "unknown" ? "" : operation.returnedAt}`;
    const number = `(${position + 1})`.padStart(5);
    return `${number} ${bar(operation, timeOf)} ${times}  ${client}  ${asked} -> ${told}`;
  });
  return [
    `no order of these operations gets past ${list([stuck])}`,
    ...lines,
    `longest order: ${list(order)}; that leaves ${words.state?.(state) ?? JSON.stringify(state)}`,
    `cannot be placed then: ${list(unplaced)}`,
  ].join("\n");
}

/** From a time to a column. */
function scale(shown: History<unknown, unknown>, endAt: number): (time: number) => number {
  const startAt = shown[0]?.calledAt ?? 0;
  const length = Math.max(endAt - startAt, 1);
  return (time) => Math.round(((Math.min(time, endAt) - startAt) / length) * (BAR_COLUMNS - 1));
}

function bar(operation: Operation<unknown, unknown>, timeOf: (time: number) => number): string {
  const isOpen = operation.outcome === "unknown";
  const from = timeOf(operation.calledAt);
  const to = isOpen ? BAR_COLUMNS - 1 : timeOf(operation.returnedAt);
  const inside = "-".repeat(Math.max(to - from - 1, 0));
  const text = to === from ? "|" : `|${inside}${isOpen ? "." : "|"}`;
  return `${" ".repeat(from)}${text}`.padEnd(BAR_COLUMNS);
}
