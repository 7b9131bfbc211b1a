// An attempt behind a stream, and what waits to be written to it: when it is silent, what counts.

import { describe, expect, test } from "@jest/globals";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import { handedBackWith, succeededWith } from "../../../workers/outcome.ts";
import { type RelayedAttempt, SILENT } from "../../../workers/relay.ts";
import { Outbox } from "../../../workers/remote/outbox.ts";
import { RemoteAttempt } from "../../../workers/remote/remote-attempt.ts";

const GIVEN = {} as RelayedAttempt;
const DONE = succeededWith(Buffer.from("1"));

describe("an attempt behind a stream", () => {
  test("is silent when nothing was heard for longer than the lease", () => {
    const attempt = new RemoteAttempt(GIVEN, 1_000);
    expect(attempt.isSilent(1_500, 500)).toBe(false);
    expect(attempt.isSilent(1_501, 500)).toBe(true);
    attempt.seen(1_501);
    expect(attempt.isSilent(2_001, 500)).toBe(false);
  });

  test("is not blamed for the time in which the gateway itself did not run", () => {
    const attempt = new RemoteAttempt(GIVEN, 1_000);
    attempt.forgive(3_000);
    expect(attempt.isSilent(4_400, 500)).toBe(false);
    expect(attempt.isSilent(4_501, 500)).toBe(true);
  });

  test("is not silent any more once it has ended, and ends as it said first", async () => {
    const attempt = new RemoteAttempt(GIVEN, 0);
    expect(attempt.finish(DONE)).toBe(true);
    expect(attempt.finish(handedBackWith("later"))).toBe(false);
    attempt.leave();
    expect(attempt.isSilent(9_999, 1)).toBe(false);
    expect(await attempt.settled).toBe(DONE);
    expect(attempt.outcome).toBe(DONE);
  });

  test("that was left settles as silent, and still takes an outcome for the ledger", async () => {
    const attempt = new RemoteAttempt(GIVEN, 0);
    attempt.leave();
    expect(attempt.finish(DONE)).toBe(true);
    expect(await attempt.settled).toBe(SILENT);
    expect(attempt.outcome).toBe(DONE);
  });
});

describe("what waits to be written", () => {
  async function taken<T>(outbox: Outbox<T>): Promise<T[]> {
    const messages: T[] = [];
    for await (const message of outbox) messages.push(message);
    return messages;
  }

  test("leaves in its order, also what was pushed before the end", async () => {
    const outbox = new Outbox<number>();
    const all = taken(outbox);
    outbox.push(1);
    outbox.push(2);
    outbox.end();
    outbox.push(3);
    expect(await all).toEqual([1, 2]);
    expect(outbox.isOpen).toBe(false);
  });

  test("is dropped by a failure, and the first failure counts", async () => {
    const outbox = new Outbox<number>();
    outbox.push(1);
    outbox.fail(new Error("first"));
    outbox.fail(new Error("second"));
    outbox.end();
    await expect(taken(outbox)).rejects.toThrow("first");
  });

  test("is bounded: who does not read is sent away", async () => {
    const outbox = new Outbox<number>();
    for (let at = 0; outbox.isOpen && at < 100_000; at += 1) outbox.push(at);
    const failure = await taken(outbox).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PipelineError);
    expect(failure).toMatchObject({ reason: "BACKLOG_FULL", metadata: { waiting: "10000" } });
  });
});
