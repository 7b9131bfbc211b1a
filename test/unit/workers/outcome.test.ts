// How what a handler does becomes what the ledger is told.

import { describe, expect, test } from "@jest/globals";
import { PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import { AttemptAborted } from "../../../workers/attempt-aborted.ts";
import { NonRetryableError } from "../../../workers/non-retryable-error.ts";
import {
  type AttemptEnd,
  handedBack,
  payloadRefused,
  resultRefused,
  succeeded,
  threw,
  timedOut,
} from "../../../workers/outcome.ts";

const textOf = ({ result }: AttemptEnd): string => Buffer.from(result ?? []).toString("utf8");

describe("a result", () => {
  test("is recorded as JSON, and nothing as null", () => {
    expect(textOf(succeeded({ a: ["é", 1] }))).toBe('{"a":["é",1]}');
    expect(textOf(succeeded(undefined))).toBe("null");
    expect(succeeded(null)).toMatchObject({ outcome: "succeeded", error: null });
  });

  test.each([
    ["a bigint", 1n],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
  ])("that is not JSON, such as %s, is a failure that is not retried", (_what, value) => {
    const end = succeeded(value);
    expect(end).toMatchObject({
      outcome: "failed",
      result: null,
      error: { code: "RESULT_REFUSED", retryable: false },
    });
  });

  test("with a cycle is a failure that is not retried", () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(succeeded(cycle).error).toMatchObject({ code: "RESULT_REFUSED", retryable: false });
  });

  test("may be as large as the limit, in bytes and not in characters, and no larger", () => {
    const quotes = 2;
    expect(succeeded("x".repeat(PAYLOAD_BYTES_MAX - quotes)).outcome).toBe("succeeded");
    expect(succeeded("x".repeat(PAYLOAD_BYTES_MAX - quotes + 1)).outcome).toBe("failed");
    expect(succeeded("é".repeat(PAYLOAD_BYTES_MAX / 2)).outcome).toBe("failed");
  });

  test("that its schema refuses names the fields", () => {
    const issues = [{ message: "too small", path: ["a", { key: 0 }] }, { message: "bad" }];
    expect(resultRefused(issues).error?.message).toBe("a.0: too small; bad");
  });
});

describe("something thrown", () => {
  test.each([
    ["no message", Object.assign(new Error("gone"), { message: undefined })],
    ["an object as message", Object.assign(new Error(), { message: { why: "odd" } })],
    ["a number as name", Object.assign(new Error("named"), { name: 7 })],
    [
      "a message that cannot be read",
      Object.defineProperty(new Error(), "message", {
        get() {
          throw new Error("no");
        },
      }),
    ],
  ])("is reported even if it has %s", (_what, odd) => {
    const { outcome, error } = threw(odd);
    expect(outcome).toBe("failed");
    expect([typeof error?.code, typeof error?.message]).toEqual(["string", "string"]);
    expect(error?.code).not.toBe("");
  });

  test("is retryable, with the name of its class as code", () => {
    class StripeError extends Error {
      override readonly name = "StripeError";
    }
    expect(threw(new StripeError("down"))).toEqual({
      outcome: "failed",
      result: null,
      error: { code: "StripeError", message: "down", retryable: true },
    });
  });

  test("that is a NonRetryableError is not, and has its own code if it has one", () => {
    const plain = threw(new NonRetryableError("no"));
    expect(plain.error).toEqual({ code: "NonRetryableError", message: "no", retryable: false });
    const coded = threw(new NonRetryableError("no", { code: "CARD_DECLINED" }));
    expect(coded.error).toMatchObject({ code: "CARD_DECLINED", retryable: false });
  });

  test("by another copy of this package is recognised as well", () => {
    const foreign = Object.assign(new Error("no"), { [Symbol.for("quorumq.non-retryable")]: true });
    expect(threw(foreign).error?.retryable).toBe(false);
  });

  test("does not need to be an error", () => {
    expect(threw("text").error).toMatchObject({ code: "Error", message: "text" });
    expect(threw(undefined).error?.message).toBe("undefined");
    expect(threw(Object.create(null)).error?.code).toBe("Error");
  });

  test("by Node itself is known as an error, whatever its realm", () => {
    const error: unknown = AbortSignal.abort().reason;
    expect(threw(error).error).toMatchObject({ code: "AbortError", retryable: true });
  });

  test("has its message cut to a bounded length", () => {
    expect(threw(new Error("x".repeat(100_000))).error?.message).toHaveLength(2_000);
  });
});

describe("an attempt that is stopped", () => {
  test("by its timeout has timed out", () => {
    expect(timedOut(50)).toMatchObject({
      outcome: "timed-out",
      error: { code: "ATTEMPT_TIMED_OUT", retryable: true },
    });
  });

  test("by a shutdown or a lapsed lease is handed back, and says which", () => {
    const codes = [new AttemptAborted("shutdown"), new AttemptAborted("lease-lapsed")].map(
      (aborted) => [handedBack(aborted).outcome, handedBack(aborted).error?.code],
    );
    expect(codes).toEqual([
      ["handed-back", "WORKER_SHUTDOWN"],
      ["handed-back", "LEASE_LAPSED"],
    ]);
  });

  test("by a payload that is refused fails for good", () => {
    expect(payloadRefused("name: required").error).toEqual({
      code: "PAYLOAD_REFUSED",
      message: "name: required",
      retryable: false,
    });
  });
});
