// The checker on a register: what it finds, what it tells, and what it leaves open.

import { describe, expect, test } from "@jest/globals";
import { check } from "../../../sim/linearizability/checker.ts";
import { type Operation, partition, withRepeats } from "../../../sim/linearizability/history.ts";
import type { Model } from "../../../sim/linearizability/model.ts";
import {
  type RegisterCall,
  type RegisterOutcome,
  registerModel,
} from "../../../sim/linearizability/register-model.ts";
import { stuckText } from "../../../sim/linearizability/text.ts";
import { isWitness } from "./agreement.ts";

type RegisterOperation = Operation<RegisterCall, RegisterOutcome>;

function during(
  [calledAt, returnedAt]: readonly [number, number],
  call: RegisterCall,
  outcome: RegisterOutcome | "unknown",
): RegisterOperation {
  return { client: "c1", call, calledAt, returnedAt, outcome };
}

function write(value: number, from: number, to: number): RegisterOperation {
  return during([from, to], { kind: "write", value }, { kind: "written" });
}

function lostWrite(value: number, from: number): RegisterOperation {
  return during([from, Number.POSITIVE_INFINITY], { kind: "write", value }, "unknown");
}

function read(value: number | null, from: number, to: number): RegisterOperation {
  return during([from, to], { kind: "read" }, { kind: "value", value });
}

function cas(from: number, to: number, at: number, isDone: boolean): RegisterOperation {
  return during([at, at + 1], { kind: "cas", from, to }, { kind: "cas", isDone });
}

function verdictOn(...history: RegisterOperation[]): string {
  return check(registerModel, history).kind;
}

describe("a violation", () => {
  test.each<[string, RegisterOperation[]]>([
    ["a stale read", [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)]],
    [
      "an older value after a newer one",
      [write(1, 0, 1), write(2, 2, 9), read(2, 3, 4), read(1, 5, 6)],
    ],
    ["a lost update", [write(1, 0, 1), cas(1, 2, 2, true), cas(1, 3, 4, true)]],
    ["a read of a value never written", [write(1, 0, 9), read(7, 3, 4)]],
    ["an acknowledged write that is gone", [write(1, 0, 1), read(null, 2, 3)]],
    ["a read of a write that was not called yet", [read(1, 0, 1), write(1, 2, 3)]],
    [
      "a write of unknown outcome that takes effect twice",
      [lostWrite(1, 0), read(1, 1, 2), write(2, 3, 4), read(1, 5, 6)],
    ],
    ["a write of unknown outcome seen before it was called", [read(1, 0, 1), lostWrite(1, 2)]],
  ])("is %s", (_what, history) => {
    expect(verdictOn(...history)).toBe("violated");
  });
});

describe("no violation", () => {
  test.each<[string, RegisterOperation[]]>([
    ["nothing at all", []],
    ["concurrent writes in either order", [write(1, 0, 5), write(2, 0, 5), read(1, 6, 7)]],
    [
      "a call at the very time of a return: they are concurrent",
      [write(1, 0, 3), read(null, 3, 4)],
    ],
    ["operations without duration at one time", [write(1, 2, 2), read(null, 2, 2), read(1, 2, 2)]],
    [
      "a write of unknown outcome that took effect late",
      [lostWrite(1, 0), read(null, 1, 2), read(1, 50, 51)],
    ],
    ["a write of unknown outcome that never took effect", [lostWrite(1, 0), read(null, 50, 51)]],
    [
      "many of unknown outcome of which all took effect",
      [1, 2, 3, 4, 5, 6, 7].flatMap((value) => [
        lostWrite(value, 0),
        read(value, value * 2, value * 2 + 1),
      ]),
    ],
  ])("is %s", (_what, history) => {
    expect(verdictOn(...history)).toBe("linearizable");
  });
});

describe("a verdict", () => {
  test("of linearizable comes with an order, without what need not have happened", () => {
    const history = [read(1, 0, 9), lostWrite(3, 0), write(1, 2, 5), read(null, 1, 4)];
    const verdict = check(registerModel, history);
    expect(verdict).toMatchObject({ kind: "linearizable" });
    if (verdict.kind !== "linearizable") return;
    expect(isWitness(registerModel, history, verdict.order)).toBe(true);
    expect(verdict.order).toEqual([history[3], history[2], history[0]]);
  });

  test("of violated names what no order gets past, and leaves out what came later", () => {
    const history = [write(1, 0, 1), read(2, 2, 3), write(2, 4, 5), read(2, 6, 7)];
    expect(check(registerModel, history)).toMatchObject({
      kind: "violated",
      stuck: history[1],
      prefix: [history[0], history[1]],
      order: [history[0]],
      state: 1,
      unplaced: [history[1]],
    });
  });

  test("is left open when the budget of steps runs out", () => {
    const history = Array.from({ length: 12 }, (_, value) => write(value, 0, 100));
    const bad = [...history, read(99, 0, 100)];
    expect(check(registerModel, bad, { stepsMax: 500 })).toMatchObject({ kind: "undecided" });
    expect(check(registerModel, bad)).toMatchObject({ kind: "violated" });
  });

  test("is the same for the same history, to the step", () => {
    const history = [write(1, 0, 5), lostWrite(2, 1), read(2, 3, 7), cas(2, 3, 4, true)];
    expect(check(registerModel, history)).toEqual(check(registerModel, history));
  });

  test("takes one step for a read that fits: there is nothing to choose", () => {
    const reads = Array.from({ length: 20 }, () => read(1, 2, 100));
    const bad = [write(1, 0, 1), ...reads, read(2, 2, 100)];
    const verdict = check(registerModel, bad);
    expect(verdict.kind).toBe("violated");
    expect(verdict.steps).toBeLessThan(2 * bad.length);
  });

  test("needs far fewer steps with memory than without", () => {
    const history = Array.from({ length: 7 }, (_, value) => write(value, 0, 100));
    const bad = [...history, read(99, 0, 100)];
    const { steps } = check(registerModel, bad);
    const plain = check(registerModel, bad, { hasMemo: false });
    expect(plain.kind).toBe("violated");
    expect(plain.steps).toBeGreaterThan(steps * 10);
  });

  test("in words has a line for each operation, JSON where nothing better is given", () => {
    const verdict = check(registerModel, [write(1, 0, 1), read(2, 2, 3)]);
    expect(verdict.kind).toBe("violated");
    if (verdict.kind !== "violated") return;
    const text = stuckText(verdict);
    expect(text).toContain('0..1  c1  {"kind":"write","value":1} -> {"kind":"written"}');
    expect(text).toContain("that leaves 1");
  });
});

describe("a model whose outcome does not tell the state", () => {
  /** A coin that is tossed, unseen, and looked at. */
  const coin: Model<string, "toss" | "look", string> = {
    initial: () => "heads",
    key: (state) => state,
    step: (state, call, outcome) => {
      if (call === "toss") return ["heads", "tails"];
      return outcome === "unknown" || outcome === state ? [state] : [];
    },
  };
  const at = (time: number, call: "toss" | "look", outcome: string) => ({
    client: "c1",
    call,
    calledAt: time,
    returnedAt: time,
    outcome,
  });

  test("has every state tried", () => {
    const seen = [at(0, "toss", "done"), at(1, "look", "tails"), at(2, "look", "tails")];
    expect(check(coin, seen).kind).toBe("linearizable");
    expect(check(coin, [...seen, at(3, "look", "heads")]).kind).toBe("violated");
    expect(check(coin, [...seen, at(3, "toss", "done"), at(4, "look", "heads")]).kind).toBe(
      "linearizable",
    );
  });
});

describe("a history", () => {
  test("that cannot be one is refused", () => {
    expect(() => verdictOn(read(null, 3, 2))).toThrow("came back before it was called");
    expect(() => verdictOn(read(null, 3, Number.POSITIVE_INFINITY))).toThrow("has an outcome");
  });

  test("is split by key in the order of first operations", () => {
    const history = [write(2, 0, 1), read(1, 2, 3), write(1, 4, 5)];
    const parts = partition(history, ({ call }) => call.kind);
    expect([...parts]).toEqual([
      ["write", [history[0], history[2]]],
      ["read", [history[1]]],
    ]);
  });

  test("with repeats lets a command take effect once more, at any time after its call", () => {
    const history = [write(1, 0, 1), write(2, 2, 3), read(1, 9, 10)];
    expect(verdictOn(...history)).toBe("violated");
    expect(verdictOn(...withRepeats(history, ({ calledAt }) => calledAt === 0))).toBe(
      "linearizable",
    );
  });
});
