// client.locks: held, renewed by itself, told when lost. Time stands still unless a test moves it.

import { EventEmitter, once } from "node:events";
import { describe, expect, jest, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import type { CallOptions, ProposeOutcome } from "../../../transport/quorum.ts";
import { clientOver } from "../../../workers/client/over-connection.ts";
import { LockLostError } from "../../../workers/client.ts";
import { VirtualClock } from "../../../workers/testing/virtual-clock.ts";
import { failureOf, startEdge } from "../../support/edge.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";

/** Tells of each command that was asked for. */
class Telling extends SoloQuorum {
  readonly asked: ((body: CommandBody) => void)[] = [];
  override async propose(body: CommandBody, options: CallOptions): Promise<ProposeOutcome> {
    const outcome = await super.propose(body, options);
    for (const listener of this.asked) listener(body);
    return outcome;
  }
}

/** Tells of each timer that is set. */
class TellingClock extends VirtualClock {
  readonly #set = new EventEmitter();
  override after(ms: number, run: () => void): () => void {
    const callOff = super.after(ms, run);
    this.#set.emit("set", ms);
    return callOff;
  }
  /** Resolves when one is set for after this time. */
  untilSet(wantedMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#set.on("set", (ms: number) => {
        if (ms === wantedMs) resolve();
      });
    });
  }
  moveToNext(): void {
    this.moveTo(this.nextMs() ?? this.nowMs());
  }
}

jest.setTimeout(30_000);

const TTL_MS = 60_000;
const RENEW_MS = TTL_MS / 3;

const clock = new TellingClock(1_700_000_000_000);
const nowMs = () => clock.nowMs();
const quorum = new Telling({ now: nowMs });
const edge = await startEdge(quorum);
const wait = () => Promise.reject(new Error("no job is waited for"));
const { locks } = clientOver({ ...edge, nowMs, clock, wait });

/** The next renewal, to its end: the one after it is set. */
async function renewal(): Promise<void> {
  const next = clock.untilSet(RENEW_MS);
  clock.moveToNext();
  await next;
}

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
    const lock = await locks.acquire("renewed", { ttlMs: TTL_MS });
    for (let times = 0; times < 4; times += 1) {
      await renewal();
      expect(quorum.ledger.holders.get("renewed")?.id).toBe(lock.id);
      expect(quorum.ledger.locks.get(lock.id)?.expiryMs).toBe(quorum.nowMs() + TTL_MS);
    }
    await Promise.all([lock.release(), lock.release()]);
    expect(clock.nextMs()).toBeNull();
    expect(lock.signal.aborted).toBe(false);
    expect(quorum.ledger.holders.has("renewed")).toBe(false);
  });

  test("that ran out is told as lost with the next sign of life; letting go is no failure", async () => {
    const lock = await locks.acquire("lost", { ttlMs: TTL_MS });
    quorum.advance(TTL_MS + 1);
    const lost = once(lock.signal, "abort");
    clock.moveToNext();
    await lost;
    expect(lock.signal.reason).toBeInstanceOf(LockLostError);
    expect(lock.signal.reason).toMatchObject({ why: "fenced" });
    await lock.release();
  });

  test("is taken for lost when the quorum is away for too long", async () => {
    const lock = await locks.acquire("away", { ttlMs: TTL_MS });
    const takenMs = clock.nowMs();
    quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    clock.moveToNext();
    expect([clock.nowMs() - takenMs, lock.signal.aborted]).toEqual([RENEW_MS, false]);
    // The renewal has no answer yet; what comes next is the end of the time.
    clock.moveToNext();
    expect(lock.signal.reason).toMatchObject({ why: "lease-lapsed" });
    expect(clock.nowMs() - takenMs).toBe(TTL_MS * 0.9);
    quorum.restore();
    await lock.release();
  });
});

describe("a wait of the client", () => {
  test("that is longer than the lock lives ends with a lock that has all its time", async () => {
    const holder = await locks.acquire("long", { ttlMs: TTL_MS });
    const waits = applied("acquire-lock", 1);
    const ttlMs = 1_200;
    const waiting = locks.acquire("long", { ttlMs, waitMs: 30_000 });
    await waits;
    clock.moveTo(clock.nowMs() + 2 * ttlMs);
    await holder.release();
    const lock = await waiting;
    expect(quorum.ledger.holders.get("long")?.id).toBe(lock.id);
    expect(quorum.ledger.locks.get(lock.id)?.expiryMs).toBe(quorum.nowMs() + ttlMs);
    expect(lock.signal.aborted).toBe(false);
    await lock.release();
  });

  test("ends with the holder named", async () => {
    await using lock = await locks.acquire("busy", { owner: "ada" });
    const waits = applied("acquire-lock", 1);
    const refused = failureOf(locks.acquire("busy", { waitMs: 100 }));
    await waits;
    clock.moveTo(clock.nowMs() + 100);
    quorum.advance(0);
    expect(await refused).toMatchObject({ code: "ABORTED", reason: "LOCK_HELD" });
    const { metadata } = await refused;
    expect(metadata).toMatchObject({ key: "busy", holder: lock.id, owner: "ada" });
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
