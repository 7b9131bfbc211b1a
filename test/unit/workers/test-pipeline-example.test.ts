// The example of workers/README.md, run; and what "quorumq/testing" may load.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "@jest/globals";
import { packageRoot } from "../../../deploy/package-root.ts";
import { chargeOrder } from "../../../workers/examples/charge-order.ts";
import { createTestPipeline } from "../../../workers/testing/index.ts";

// example
test("a payment that fails is tried again", async () => {
  await using pipeline = createTestPipeline({ jobs: [chargeOrder] });
  const { client } = pipeline;
  pipeline.failNext(chargeOrder, new Error("the provider is away"));
  const input = { orderId: "o-1", accountId: "a-1", amountCents: 500 };
  const order = await client.submit(chargeOrder, input);
  await pipeline.advance(0); // what is due now: the first attempt
  expect(await client.get(order.id)).toMatchObject({ attempts: [{ error: { code: "Error" } }] });
  await pipeline.advance(10_000); // over the backoff
  expect(await order.result()).toEqual({ authorization: "auth-o-1", balanceCents: -500 });
});
// end of example

test("the example of the README is this one", () => {
  const source = readFileSync(join(packageRoot(), "test/unit/workers", NAME), "utf8");
  const [, example = "no example"] =
    /\/\/ example\n([\s\S]*)\/\/ end of example/.exec(source) ?? [];
  const readme = readFileSync(join(packageRoot(), "workers", "README.md"), "utf8");
  expect(readme).toContain(example.trim());
});

const NAME = "test-pipeline-example.test.ts";

/** Each module that is loaded, on a line of its own. */
const LIST_MODULES = `
import { registerHooks } from "node:module";
registerHooks({
  load(url, context, next) {
    console.log(url);
    return next(url, context);
  },
});
await import(process.argv[1]);
`;

test("the test kit loads neither a broker's client nor gRPC's", () => {
  const kit = pathToFileURL(join(packageRoot(), "workers", "testing", "index.ts")).href;
  const words = ["--input-type=module", "--eval", LIST_MODULES, kit];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  const loaded = stdout.split("\n");
  // It looked at the right thing.
  expect(loaded.filter((url) => url.endsWith("/ledger/ledger.ts"))).toHaveLength(1);
  const brokers = /node_modules\/(amqplib|ioredis|bullmq|@grpc|grpc-health-check|hono|@hono)\//;
  expect(loaded.filter((url) => brokers.test(url))).toEqual([]);
});
