// LockService and ListLocks through a gateway: who gets a lock, who waits, who is refused.

import { describe, expect, jest, test } from "@jest/globals";
import { WAIT_LEASE_MS } from "../../../ledger/lock.ts";
import { AcquireLockRequest } from "../../../protos/gen/quorumq/v1/lock_service.ts";
import type { ClientCallOptions } from "../../../transport/grpc/client.ts";
import { connectJobs } from "../../../transport/grpc/client.ts";
import { durationOf } from "../../../transport/result-codec.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createGateway } from "../../../workers/gateway.ts";
import { failureOf, startEdge } from "../../support/edge.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";

jest.setTimeout(30_000);

const edge = await startEdge();
const { locks, jobs, quorum } = edge;

interface Ask {
  readonly ttlMs?: number;
  readonly waitMs?: number;
  readonly owner?: string;
  readonly requestId?: string;
}

function asked(keys: readonly string[], { ttlMs, waitMs, owner, requestId }: Ask = {}) {
  return AcquireLockRequest.fromPartial({
    keys: [...keys],
    ttl: durationOf(ttlMs ?? 60_000),
    wait: durationOf(waitMs ?? 0),
    owner: owner ?? "",
    requestId: requestId ?? "",
  });
}

function acquire(keys: readonly string[], ask: Ask = {}, options: ClientCallOptions = {}) {
  return locks.acquireLock(asked(keys, ask), options);
}

/** Resolves when so many wait in the line for the key. */
async function inLine(key: string, count: number, of: SoloQuorum = quorum): Promise<void> {
  while ((of.ledger.lines.get(key)?.size ?? 0) !== count) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a lock that is free", () => {
  test("is held under the index of its entry, until it is let go", async () => {
    const held = await acquire(["free-1", "free-2"], { owner: "me" });
    expect(held.fencingToken).toBe(quorum.index);
    expect(held.lockId).toBe(`l-${quorum.index}`);
    expect(held.expireTime?.getTime()).toBeGreaterThan(Date.now() + 50_000);
    const { locks: listed } = await jobs.listLocks({ pageSize: 0, pageToken: "", key: "free-2" });
    expect(listed).toEqual([
      {
        key: "free-2",
        jobId: "",
        lockId: held.lockId,
        owner: "me",
        token: held.fencingToken,
        leaseExpireTime: held.expireTime,
        waitingCount: 0,
      },
    ]);
    const { lockId, fencingToken } = held;
    await locks.releaseLock({ lockId, fencingToken });
    await locks.releaseLock({ lockId, fencingToken });
    const next = await acquire(["free-2"]);
    expect(next.fencingToken).toBeGreaterThan(fencingToken);
  });

  test("lives as long as it is kept alive", async () => {
    const { lockId, fencingToken } = await acquire(["kept"], { ttlMs: 60_000 });
    quorum.advance(50_000);
    await locks.keepLockAlive({ lockId, fencingToken });
    quorum.advance(50_000);
    const { expireTime } = await locks.keepLockAlive({ lockId, fencingToken });
    expect(expireTime?.getTime()).toBe(quorum.ledger.clockMs + 60_000);
    quorum.advance(60_001);
    const lost = await failureOf(locks.keepLockAlive({ lockId, fencingToken }));
    expect(lost).toMatchObject({ code: "ABORTED", reason: "FENCED" });
    expect(lost.metadata).toMatchObject({ presented: String(fencingToken), current: "0" });
  });

  test("is one lock, however often the same request is made", async () => {
    const ask = { requestId: "same", ttlMs: 5_000 };
    const first = await acquire(["again"], ask);
    const { lockId: id, fencingToken: token } = await acquire(["again"], ask);
    expect([id, token]).toEqual([first.lockId, first.fencingToken]);
    const other = await failureOf(acquire(["another"], ask));
    expect(other).toMatchObject({ code: "ALREADY_EXISTS", reason: "IDEMPOTENCY_KEY_REUSED" });
    await locks.releaseLock({ lockId: first.lockId, fencingToken: first.fencingToken });
    // A late copy takes nothing.
    expect(await failureOf(acquire(["again"], ask))).toMatchObject({ reason: "FENCED" });
    expect(quorum.ledger.holders.has("again")).toBe(false);
  });
});

describe("a lock that another holds", () => {
  test("is refused at once to who does not wait, with the holder named", async () => {
    const held = await acquire(["taken"], { owner: "ada" });
    const refused = await failureOf(acquire(["x", "taken"]));
    expect(refused).toMatchObject({ code: "ABORTED", reason: "LOCK_HELD", retry: "safe" });
    expect(refused.metadata).toMatchObject({
      key: "taken",
      holder: held.lockId,
      owner: "ada",
      holder_token: String(held.fencingToken),
    });
    expect(quorum.ledger.holders.has("x")).toBe(false);
  });

  test("is given to who waits, in the order of coming", async () => {
    const first = await acquire(["line"]);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const held = await acquire(["line"], { waitMs: 60_000 }, { timeoutMs: 20_000 });
      order.push(number);
      return held;
    });
    await inLine("line", 3);
    let { lockId, fencingToken } = first;
    for (const next of waiting) {
      await locks.releaseLock({ lockId, fencingToken });
      const held = await next;
      expect(held.fencingToken).toBeGreaterThan(fencingToken);
      ({ lockId, fencingToken } = held);
    }
    expect(order).toEqual([1, 2, 3]);
  });

  test("is refused when the wait is over", async () => {
    const held = await acquire(["slow"]);
    const refused = failureOf(acquire(["slow"], { waitMs: 5_000 }));
    await inLine("slow", 1);
    quorum.advance(5_001);
    expect(await refused).toMatchObject({ code: "ABORTED", reason: "LOCK_HELD" });
    expect((await refused).metadata).toMatchObject({ holder: held.lockId });
  });

  test("keeps its line when a caller goes away, and gives that one nothing", async () => {
    const held = await acquire(["left"]);
    const leaving = new AbortController();
    const left = failureOf(acquire(["left"], { waitMs: 60_000 }, { signal: leaving.signal }));
    await inLine("left", 1);
    const stays = acquire(["left"], { waitMs: 60_000 });
    await inLine("left", 2);
    leaving.abort();
    expect(await left).toMatchObject({ code: "CANCELLED" });
    await inLine("left", 1);
    await locks.releaseLock({ lockId: held.lockId, fencingToken: held.fencingToken });
    await stays;
  });

  test("is taken over with a higher token when it runs out; its old holder is refused", async () => {
    const old = await acquire(["frozen"], { ttlMs: 4_000 });
    const next = acquire(["frozen"], { waitMs: 60_000 });
    await inLine("frozen", 1);
    quorum.advance(4_001);
    const held = await next;
    expect(held.fencingToken).toBeGreaterThan(old.fencingToken);
    const { lockId, fencingToken } = old;
    for (const late of [locks.keepLockAlive, locks.releaseLock]) {
      const refused = await failureOf(late({ lockId, fencingToken }));
      expect(refused).toMatchObject({ code: "ABORTED", reason: "FENCED" });
      expect(refused.metadata).toMatchObject({
        presented: String(fencingToken),
        current: String(held.fencingToken),
      });
    }
    expect(quorum.ledger.holders.get("frozen")?.id).toBe(held.lockId);
  });

  test("is told to wait on by a deadline, and the same request keeps its place", async () => {
    const held = await acquire(["patience"]);
    const ask = { waitMs: 60_000, requestId: "patient" };
    const early = await failureOf(acquire(["patience"], ask, { timeoutMs: 1_000 }));
    expect(early).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "OUTCOME_UNKNOWN" });
    expect(early.metadata).toMatchObject({ request_id: "patient" });
    const later = acquire(["patience"], { waitMs: 60_000 });
    await inLine("patience", 2);
    const again = acquire(["patience"], ask);
    await locks.releaseLock({ lockId: held.lockId, fencingToken: held.fencingToken });
    const { lockId, fencingToken } = await again;
    await locks.releaseLock({ lockId, fencingToken });
    expect((await later).fencingToken).toBeGreaterThan(fencingToken);
  });

  test("goes on without a request of which nothing is heard any more", async () => {
    const held = await acquire(["vanished"]);
    const ask = { waitMs: 60_000, requestId: "vanished" };
    await failureOf(acquire(["vanished"], ask, { timeoutMs: 300 }));
    expect(quorum.ledger.lines.get("vanished")?.size).toBe(1);
    quorum.advance(WAIT_LEASE_MS);
    expect(quorum.ledger.lines.has("vanished")).toBe(false);
    expect(await failureOf(acquire(["vanished"], ask))).toMatchObject({ reason: "LOCK_HELD" });
    await locks.releaseLock({ lockId: held.lockId, fencingToken: held.fencingToken });
  });
});

test("a grant whose event is missed is seen with the next look", async () => {
  class Deaf extends SoloQuorum {
    override onLockEvent(): () => void {
      return () => undefined;
    }
  }
  const deaf = await startEdge(new Deaf());
  const held = await deaf.locks.acquireLock(asked(["deaf"]));
  const waiting = deaf.locks.acquireLock(asked(["deaf"], { waitMs: 60_000 }));
  await inLine("deaf", 1, deaf.quorum);
  await deaf.locks.releaseLock({ lockId: held.lockId, fencingToken: held.fencingToken });
  // As after a change of leader: there is a gap in the events.
  deaf.quorum.restore();
  expect((await waiting).fencingToken).toBeGreaterThan(held.fencingToken);
});

test("a gateway that ends sends who waits to another one, where they keep their place", async () => {
  const shared = await startEdge(new SoloQuorum());
  const options = { quorum: shared.quorum, host: "127.0.0.1", port: 0, logger: silentLogger() };
  const ending = await createGateway(options);
  const connection = connectJobs({ address: `127.0.0.1:${ending.port}` });
  const held = await shared.locks.acquireLock(asked(["moving"]));
  const ask = asked(["moving"], { waitMs: 60_000, requestId: "mover" });
  const sent = failureOf(connection.locks.acquireLock(ask, { timeoutMs: 20_000 }));
  await inLine("moving", 1, shared.quorum);
  await ending.close(2_000);
  expect((await sent).code).toBe("UNAVAILABLE");
  connection.close();
  expect(shared.quorum.ledger.lines.get("moving")?.size).toBe(1);
  const moved = shared.locks.acquireLock(ask);
  await shared.locks.releaseLock({ lockId: held.lockId, fencingToken: held.fencingToken });
  expect((await moved).fencingToken).toBeGreaterThan(held.fencingToken);
});

describe("a request that cannot be right", () => {
  test("is told all that is wrong with it", async () => {
    const refused = await failureOf(
      locks.acquireLock({
        ...asked(["a", "", "a"], { ttlMs: 1, waitMs: 7_200_000 }),
        owner: "o".repeat(300),
      }),
    );
    expect(refused).toMatchObject({ code: "INVALID_ARGUMENT", reason: "INVALID_FIELD" });
    expect(refused.violations.map(({ field }) => field).toSorted()).toEqual([
      ...["keys[1]", "keys[2]", "owner", "ttl", "wait"],
    ]);
    expect(await failureOf(acquire([]))).toMatchObject({ reason: "INVALID_FIELD" });
    const nameless = failureOf(locks.releaseLock({ lockId: "", fencingToken: 0 }));
    expect((await nameless).violations.map(({ field }) => field)).toEqual([
      ...["lock_id", "fencing_token"],
    ]);
  });

  test("of a lock that never was is fenced", async () => {
    const unknown = await failureOf(locks.keepLockAlive({ lockId: "l-1", fencingToken: 9_999 }));
    expect(unknown).toMatchObject({ code: "ABORTED", reason: "FENCED" });
  });
});

describe("ListLocks", () => {
  test("pages by key, whatever comes and goes between two pages", async () => {
    const paged = await startEdge(new SoloQuorum());
    const keys = ["a", "b", "c", "d", "e"];
    for (const key of keys) await paged.locks.acquireLock(asked([key]));
    const first = await paged.jobs.listLocks({ pageSize: 2, pageToken: "", key: "" });
    await paged.locks.acquireLock(asked(["aa"]));
    await paged.locks.acquireLock(asked(["cc"]));
    const seen = first.locks.map(({ key }) => key);
    for (let pageToken = first.nextPageToken; pageToken !== ""; ) {
      const page = await paged.jobs.listLocks({ pageSize: 2, pageToken, key: "" });
      seen.push(...page.locks.map(({ key }) => key));
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual(["a", "b", "c", "cc", "d", "e"]);
  });

  test("takes no token of another list", async () => {
    for (const request of [
      { pageSize: 0, pageToken: "nonsense", key: "" },
      { pageSize: -1, pageToken: "", key: "" },
    ]) {
      expect(await failureOf(jobs.listLocks(request))).toMatchObject({ reason: "INVALID_FIELD" });
    }
  });
});
