// The examples that users start from do what their comments say.

import { describe, expect, test } from "@jest/globals";
import { chargeOrder } from "../../../workers/examples/charge-order.ts";
import { ingestReading } from "../../../workers/examples/ingest-reading.ts";
import { startPipeline } from "../../support/pipeline.ts";

const pipeline = await startPipeline();

describe("charge-order", () => {
  test("charges each order once, in spite of a payment provider that fails", async () => {
    await pipeline.startWorker([chargeOrder], { concurrency: 4 });
    const jobIds = await Promise.all(
      [1, 2, 3, 4].map((n) =>
        pipeline.submit("charge-order", { orderId: `o-${n}`, accountId: "a", amountCents: 100 }),
      ),
    );
    const results = await Promise.all(jobIds.map((jobId) => pipeline.result(jobId)));
    const balances = results.map((result) => (result as { balanceCents: number }).balanceCents);
    expect(balances.toSorted((a, b) => b - a)).toEqual([-100, -200, -300, -400]);
    const attempts = jobIds.flatMap((jobId) => pipeline.job(jobId).attempts);
    expect(attempts.filter(({ outcome }) => outcome === "failed").length).toBeGreaterThan(0);
  });

  test("refuses for good to charge nothing", async () => {
    const order = { orderId: "o-0", accountId: "b", amountCents: 0 };
    const failed = await pipeline.until(await pipeline.submit("charge-order", order), "failed");
    expect(failed.attempts).toHaveLength(1);
    expect(failed.error?.code).toBe("AMOUNT_INVALID");
  });
});

describe("ingest-reading", () => {
  test("keeps the latest of a burst of readings", async () => {
    const burst = Array.from({ length: 100 }, (_, at) => ({
      deviceId: "d",
      at: at + 1,
      celsius: 20,
    }));
    await pipeline.startWorker([ingestReading], { concurrency: { readings: 50 } });
    const jobIds = await Promise.all(
      burst.map((reading) => pipeline.submit("ingest-reading", reading)),
    );
    const results = await Promise.all(jobIds.map((jobId) => pipeline.result(jobId)));
    expect(results).toContainEqual({ isNewer: true });
    const again = await pipeline.submit("ingest-reading", { ...burst[0], celsius: 30 });
    expect(await pipeline.result(again)).toEqual({ isNewer: false });
  });
});
