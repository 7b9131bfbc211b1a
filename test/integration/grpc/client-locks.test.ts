// client.locks: held, renewed by itself, told when lost.

import { once } from "node:events";
import { describe, expect, jest, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import type { CallOptions, ProposeOutcome } from "../../../transport/quorum.ts";
import { createClient, LockLostError } from "../../../workers/client.ts";
import { failureOf, startEdge } from "../../support/edge.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { atEnd } from "../../support/teardown.ts";

/** Tells of each command that was asked for. */
class Telling extends SoloQuorum {
  readonly asked: ((body: CommandBody) => void)[] = [];
  override async propose(body: CommandBody, options: CallOptions): Promise<ProposeOutcome> {
    const outcome = await super.propose(body, options);
    for (const listener of this.asked) listener(body);
    return outcome;
  }
}

jest.setTimeout(30_000);

const quorum = new Telling();
const edge = await startEdge(quorum);
const client = createClient({ address: edge.address });
atEnd(async () => client.close());
const { locks } = client;

/** Resolves when commands of this kind were applied so many times. */
function applied(kind: CommandBody["kind"], times: number): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    quorum.asked.push((body) => {
      if (body.kind !== kind) return;
      count += 1;
      if (count === times) resolve();
    });
  });
}

describe("a lock of the client", () => {
  test("excludes all others while it is held, and its tokens rise", async () => {
    let [inside, most] = [0, 0];
    const tokens: bigint[] = [];
    const work = Array.from({ length: 12 }, () =>
      locks.run("one", { waitMs: 30_000 }, async ({ fencingToken }) => {
        inside += 1;
        most = Math.max(most, inside);
        tokens.push(fencingToken);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      }),
    );
    await Promise.all(work);
    expect(most).toBe(1);
    expect(tokens).toHaveLength(12);
    expect(tokens).toEqual(tokens.toSorted((a, b) => Number(a - b)));
    expect(new Set(tokens).size).toBe(12);
  });

  test("is let go at the end of its block, also of one that throws", async () => {
    const failed = locks.run("block", {}, () => Promise.reject(new Error("it broke")));
    await expect(failed).rejects.toThrow("it broke");
    {
      await using lock = await locks.acquire(["block", "other"]);
      expect(lock.signal.aborted).toBe(false);
      expect(quorum.ledger.holders.get("other")?.id).toBe(lock.id);
    }
    expect(quorum.ledger.holders.size).toBe(0);
  });

  test("is renewed by itself, and its signal stays quiet after it was let go", async () => {
    const renewed = applied("renew-locks", 3);
    const lock = await locks.acquire("renewed", { ttlMs: 1_500 });
    await renewed;
    expect(quorum.ledger.holders.get("renewed")?.id).toBe(lock.id);
    await Promise.all([lock.release(), lock.release()]);
    expect(lock.signal.aborted).toBe(false);
    expect(quorum.ledger.holders.has("renewed")).toBe(false);
  });

  test("that ran out is told as lost with the next sign of life; letting go is no failure", async () => {
    const lock = await locks.acquire("lost", { ttlMs: 600 });
    quorum.advance(601);
    if (!lock.signal.aborted) await once(lock.signal, "abort");
    expect(lock.signal.reason).toBeInstanceOf(LockLostError);
    expect(lock.signal.reason).toMatchObject({ why: "fenced" });
    await lock.release();
  });

  test("is taken for lost when the quorum is away for too long", async () => {
    const lock = await locks.acquire("away", { ttlMs: 600 });
    quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    if (!lock.signal.aborted) await once(lock.signal, "abort");
    expect(lock.signal.reason).toMatchObject({ why: "lease-lapsed" });
    quorum.restore();
    await lock.release();
  });
});

describe("a wait of the client", () => {
  test("that is longer than the lock lives ends with a lock that has all its time", async () => {
    const holder = await locks.acquire("long", { ttlMs: 1_500 });
    const waits = applied("acquire-lock", 1);
    const waiting = locks.acquire("long", { ttlMs: 1_200, waitMs: 30_000 });
    await waits;
    await applied("renew-locks", 2);
    await holder.release();
    const lock = await waiting;
    const renewed = applied("renew-locks", 2);
    await renewed;
    expect(lock.signal.aborted).toBe(false);
    await lock.release();
  });

  test("ends with the holder named", async () => {
    await using lock = await locks.acquire("busy", { owner: "ada" });
    const refused = await failureOf(locks.acquire("busy", { waitMs: 100 }));
    expect(refused).toMatchObject({ code: "ABORTED", reason: "LOCK_HELD" });
    expect(refused.metadata).toMatchObject({ key: "busy", holder: lock.id, owner: "ada" });
  });

  test("ends with its signal, and leaves the line", async () => {
    await using lock = await locks.acquire("aborted");
    const leaving = new AbortController();
    const waits = applied("acquire-lock", 1);
    const gone = applied("release-locks", 1);
    const { signal } = leaving;
    const waiting = locks.acquire("aborted", { waitMs: 30_000, signal });
    await waits;
    leaving.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await gone;
    expect(quorum.ledger.lines.has("aborted")).toBe(false);
    expect(quorum.ledger.holders.get("aborted")?.id).toBe(lock.id);
  });
});
