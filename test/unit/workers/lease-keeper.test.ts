// The renewals of a worker with very many attempts.

import { expect, test } from "@jest/globals";
import { RENEWALS_MAX } from "../../../transport/limit.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import type { AbortWhy } from "../../../workers/attempt-aborted.ts";
import { LeaseKeeper } from "../../../workers/lease-keeper.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";

test("more attempts than one command may renew are all renewed, and each stale one told", async () => {
  const quorum = new SoloQuorum();
  const leases = new LeaseKeeper({
    quorum,
    // Without keys there is nothing to ask Redis for.
    locks: {
      acquire: () => Promise.resolve({ kind: "held" }),
      renew: () => Promise.resolve({ kind: "held" }),
      release: () => Promise.resolve({ kind: "released", count: 0 }),
      close: () => Promise.resolve(),
    },
    worker: "w1",
    leaseMs: 60_000,
    logger: silentLogger(),
  });
  const lost: AbortWhy[] = [];
  const count = RENEWALS_MAX + 1;
  for (let token = 1; token <= count; token += 1) {
    const lease = { jobId: `j-${token}`, token, lockKeys: [], sentMs: performance.now() };
    leases.keep({ ...lease, lost: (why) => lost.push(why) });
  }
  // The ledger knows none of them.
  await leases.renewNow();
  expect(lost).toHaveLength(count);
  expect(leases.liveCount).toBe(0);
  leases.stop();
  await quorum.close();
});
