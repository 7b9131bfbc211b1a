// When a stand-in renews for a blocked loop, and when it does not.

import { setImmediate } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { type LeaseNews, LeaseStandIn } from "../../../workers/lease-stand-in.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { atEnd } from "../../support/teardown.ts";

const LEASE_MS = 9_000;
const BLOCKED_MS_MAX = 60_000;

async function world() {
  const quorum = new SoloQuorum();
  atEnd(() => quorum.close());
  const proposed: CommandBody[] = [];
  const propose = quorum.propose.bind(quorum);
  quorum.propose = (body, options) => {
    proposed.push(body);
    return propose(body, options);
  };
  const clock = { nowMs: 0, aliveMs: 0 };
  let told = Promise.withResolvers<LeaseNews>();
  const standIn = new LeaseStandIn({
    worker: "w1",
    leaseMs: LEASE_MS,
    blockedMsMax: BLOCKED_MS_MAX,
    logger: silentLogger(),
    quorum: () => Promise.resolve(quorum),
    nowMs: () => clock.nowMs,
    aliveMs: () => clock.aliveMs,
    tell: (news) => {
      if (news.kind === "stale") told.resolve(news);
    },
  });
  return {
    quorum,
    clock,
    standIn,
    proposed,
    lookAt(nowMs: number): void {
      clock.nowMs = nowMs;
      standIn.look();
    },
    async stale(): Promise<LeaseNews> {
      const news = await told.promise;
      told = Promise.withResolvers();
      // The round ends behind its news.
      await setImmediate();
      return news;
    },
  };
}

/** Of a job that the ledger does not know: each renewal is answered with "stale". */
const LEASE = { jobId: "j-1", token: 1 };

test("a loop that shows life is left to itself; one that shows none is stood in for", async () => {
  const { standIn, lookAt, clock, proposed, stale } = await world();
  standIn.keep(LEASE);
  lookAt(2_000);
  clock.aliveMs = 3_900;
  lookAt(4_000);
  expect(proposed).toEqual([]);
  lookAt(3_900 + LEASE_MS / 4);
  expect(await stale()).toMatchObject({ stale: [LEASE] });
  expect(proposed).toMatchObject([{ kind: "renew-leases", worker: "w1", renewals: [LEASE] }]);
});

test("what is stale or was released is not renewed any more", async () => {
  const { standIn, lookAt, proposed, stale } = await world();
  const other = { jobId: "j-2", token: 2 };
  standIn.keep(LEASE);
  lookAt(3_000);
  await stale();
  standIn.keep(other);
  lookAt(6_001);
  await stale();
  standIn.keep(LEASE);
  standIn.release(LEASE);
  lookAt(9_002);
  expect(proposed.map((body) => ("renewals" in body ? body.renewals : []))).toEqual([
    [LEASE],
    [other],
  ]);
});

test("a loop that has shown no life for too long is given up, until it shows some again", async () => {
  const { standIn, lookAt, clock, proposed, stale } = await world();
  standIn.keep(LEASE);
  lookAt(BLOCKED_MS_MAX + 1);
  lookAt(10 * BLOCKED_MS_MAX);
  expect(proposed).toEqual([]);
  clock.aliveMs = 10 * BLOCKED_MS_MAX;
  lookAt(10 * BLOCKED_MS_MAX + LEASE_MS / 2);
  expect(await stale()).toMatchObject({ stale: [LEASE] });
});
