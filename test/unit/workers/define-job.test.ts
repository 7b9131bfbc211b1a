// What defineJob accepts, at compile time and at run time. The @ts-expect-error lines are the
// compile-time half: `tsc` fails when one of them compiles.

import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { defineJob, type JobDefinition } from "../../../workers/define-job.ts";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const proves = <_Claim extends true>(): void => undefined;

const order = z.object({
  accountId: z.string(),
  amount: z.number(),
  note: z.string().optional(),
  lines: z.array(z.string()),
});

describe("the types of a definition", () => {
  test("are its kind, what callers submit, and what its handler returns", () => {
    const job = defineJob({
      kind: "charge",
      input: z.object({ at: z.string().transform((text) => new Date(text)) }),
      handler: async ({ at }) => {
        proves<Equal<typeof at, Date>>();
        return { year: at.getFullYear() };
      },
    });
    proves<Equal<typeof job, JobDefinition<"charge", { at: string }, { year: number }>>>();
    const some: readonly JobDefinition[] = [job];
    expect(some[0]?.kind).toBe("charge");
  });

  test("demand of the handler what the output schema says", () => {
    const typed = defineJob({
      kind: "typed",
      input: order,
      output: z.object({ ok: z.boolean() }),
      // @ts-expect-error a number is not { ok: boolean }
      handler: () => 1,
    });
    expect(typed.output).not.toBeNull();
  });

  test("let a lock name only fields of the input that can be part of a key", () => {
    const handler = (): void => undefined;
    const good = defineJob({
      kind: "good",
      input: order,
      lock: ["account:{accountId}", "sum:{amount}:{accountId}", "one"],
      handler,
    });
    expect(good.lockTemplates).toEqual(["account:{accountId}", "sum:{amount}:{accountId}", "one"]);
    // @ts-expect-error no such field
    defineJob({ kind: "a", input: order, lock: "account:{acountId}", handler });
    // @ts-expect-error no such field, in a list
    defineJob({ kind: "b", input: order, lock: ["one", "x:{nope}"], handler });
    // @ts-expect-error a list is not a key
    defineJob({ kind: "c", input: order, lock: "lines:{lines}", handler });
    // @ts-expect-error it may be absent
    defineJob({ kind: "d", input: order, lock: "note:{note}", handler });
  });
});

describe("a definition", () => {
  const input = z.object({});
  const handler = (): void => undefined;

  test("has defaults: the queue, three attempts, a backoff, no timeout, no lock", () => {
    expect(defineJob({ kind: "plain", input, handler })).toMatchObject({
      queue: "default",
      retry: { maxAttempts: 3, backoff: { initialMs: 1_000, multiplier: 2, maxMs: 60_000 } },
      timeoutMs: 0,
      lockTemplates: [],
      concurrencyTemplates: [],
    });
  });

  test("keeps the other half of a retry policy that is given in part", () => {
    const { retry } = defineJob({ kind: "once", input, handler, retry: { maxAttempts: 1 } });
    expect(retry).toMatchObject({ maxAttempts: 1, backoff: { initialMs: 1_000 } });
  });

  test.each([
    ["an empty kind", { kind: "" }, /a kind is/],
    ["a colon in the queue", { queue: "a:b" }, /a queue is/],
    ["no attempt", { retry: { maxAttempts: 0 } }, /maxAttempts is 1 to/],
    ["a negative timeout", { timeoutMs: -1 }, /timeoutMs/],
    [
      "a backoff that ends before it begins",
      { retry: { backoff: { initialMs: 10, multiplier: 2, maxMs: 1 } } },
      /backoff needs/,
    ],
    [
      "a backoff that shrinks",
      { retry: { backoff: { initialMs: 10, multiplier: 0.5, maxMs: 100 } } },
      /multiplier/,
    ],
  ])("with %s is refused when it is defined", (_what, wrong, message) => {
    expect(() => defineJob({ kind: "k", input, handler, ...wrong })).toThrow(message);
  });
});
