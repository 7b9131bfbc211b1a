// The example with the frozen teller: charged twice under a Redis lock, once under a fenced one.

import { expect, test } from "@jest/globals";
import { tellStory } from "../../../workers/examples/fenced/main.ts";
import { startEdge } from "../../support/edge.ts";
import { startRedis } from "../../support/redis.ts";

const edge = await startEdge();
const redis = await startRedis();
const places = { address: edge.address, redisUrl: redis.url };

test("a lock by SET NX PX lets a teller that was frozen charge a second time", async () => {
  expect(await tellStory("redis", places)).toEqual({
    ...{ bob: "charged", ada: "charged" },
    ...{ charges: ["bob", "ada"], balanceCents: 4_000 },
  });
}, 30_000);

test("with a fencing token the bank refuses the one that was frozen", async () => {
  expect(await tellStory("quorumq", places)).toEqual({
    ...{ bob: "charged", ada: "refused" },
    ...{ charges: ["bob"], balanceCents: 7_000 },
  });
  expect(edge.quorum.ledger.holders.size).toBe(0);
}, 30_000);
