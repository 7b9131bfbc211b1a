// Random histories of a register: what a right one could have answered, and what no one may.
//
// Guarantees: `goodRegisterHistory` is linearizable by construction: each operation took effect at
// a moment within its interval, in the order of those moments.

import type { Operation } from "../../../sim/linearizability/history.ts";
import {
  type Register,
  type RegisterCall,
  type RegisterOutcome,
  registerModel,
} from "../../../sim/linearizability/register-model.ts";
import type { Draw } from "./draw.ts";

export type RegisterOperation = Operation<RegisterCall, RegisterOutcome>;

const VALUES = 3;
/** How often nobody sees an answer: drawn once a history. */
export const UNKNOWN_ONE_IN: readonly number[] = [2, 5, 20];

/** `spread`: how far an interval may reach beyond its moment; moments are 2 apart. */
export function goodRegisterHistory(draw: Draw, size: number, spread: number): RegisterOperation[] {
  let register: Register = null;
  const unknownOneIn = draw.from(UNKNOWN_ONE_IN);
  return Array.from({ length: size }, (_, position): RegisterOperation => {
    const call = callOf(draw);
    const isUnknown = draw.oneIn(unknownOneIn);
    const outcome = answerOf(register, call);
    // Half of those that got no answer never took effect.
    if (!isUnknown || draw.oneIn(2))
      register = registerModel.step(register, call, outcome)[0] ?? null;
    return {
      client: `c${position}`,
      call,
      ...interval(draw, position * 2, spread, outcome, isUnknown),
    };
  });
}

/** Changes one thing: an answer, or when an operation was called or came back. */
export function mutated<Call, Outcome>(
  draw: Draw,
  history: readonly Operation<Call, Outcome>[],
  otherOutcome: (operation: Operation<Call, Outcome>) => Outcome,
): Operation<Call, Outcome>[] {
  const changed = draw.below(history.length);
  const isOutcome = draw.below(4) > 0;
  return history.map((operation, position) => {
    if (position !== changed || operation.outcome === "unknown") return operation;
    if (isOutcome) return { ...operation, outcome: otherOutcome(operation) };
    const calledAt = operation.calledAt + draw.below(9) - 4;
    return { ...operation, calledAt, returnedAt: calledAt + draw.below(3) };
  });
}

export function otherRegisterOutcome(draw: Draw, { call }: RegisterOperation): RegisterOutcome {
  if (call.kind === "cas") return { kind: "cas", isDone: draw.oneIn(2) };
  return { kind: "value", value: draw.oneIn(VALUES + 1) ? null : draw.below(VALUES) };
}

export function interval<Outcome>(
  draw: Draw,
  moment: number,
  spread: number,
  outcome: Outcome,
  isUnknown: boolean,
): { calledAt: number; returnedAt: number; outcome: Outcome | "unknown" } {
  const calledAt = moment - draw.below(spread + 1);
  const returnedAt = moment + draw.below(spread + 1);
  if (isUnknown) return { calledAt, returnedAt: Number.POSITIVE_INFINITY, outcome: "unknown" };
  return { calledAt, returnedAt, outcome };
}

function callOf(draw: Draw): RegisterCall {
  const value = draw.below(VALUES);
  switch (draw.below(4)) {
    case 0:
      return { kind: "write", value };
    case 1:
      return { kind: "cas", from: value, to: draw.below(VALUES) };
    default:
      return { kind: "read" };
  }
}

function answerOf(register: Register, call: RegisterCall): RegisterOutcome {
  switch (call.kind) {
    case "read":
      return { kind: "value", value: register };
    case "write":
      return { kind: "written" };
    case "cas":
      return { kind: "cas", isDone: register === call.from };
  }
}
