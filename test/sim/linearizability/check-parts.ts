// The verdict on a whole history: each of its parts checked by itself.
//
// Guarantees: violated if any part is, else undecided if any part is; parts that are not
// linearizable are all listed. Each has a budget of its own: a hard one takes nothing from others.
// Does not own: how a history is split (history.ts, job-parts.ts).

import { type CheckOptions, check, type Verdict } from "./checker.ts";
import type { History } from "./history.ts";
import type { Model } from "./model.ts";

export interface Failure<State, Call, Outcome> {
  readonly part: string;
  readonly verdict: Exclude<Verdict<State, Call, Outcome>, { kind: "linearizable" }>;
}

export interface PartsVerdict<State, Call, Outcome> {
  readonly kind: "linearizable" | "violated" | "undecided";
  readonly partCount: number;
  readonly operationCount: number;
  readonly steps: number;
  readonly failures: readonly Failure<State, Call, Outcome>[];
}

export function checkParts<State, Call, Outcome>(
  model: Model<State, Call, Outcome>,
  parts: ReadonlyMap<string, History<Call, Outcome>>,
  options: CheckOptions = {},
): PartsVerdict<State, Call, Outcome> {
  const failures: Failure<State, Call, Outcome>[] = [];
  let operationCount = 0;
  let steps = 0;
  for (const [part, history] of parts) {
    const verdict = check(model, history, options);
    operationCount += history.length;
    steps += verdict.steps;
    if (verdict.kind !== "linearizable") failures.push({ part, verdict });
  }
  const isViolated = failures.some(({ verdict }) => verdict.kind === "violated");
  const failed = isViolated ? "violated" : "undecided";
  const kind = failures.length === 0 ? "linearizable" : failed;
  return { kind, partCount: parts.size, operationCount, steps, failures };
}
