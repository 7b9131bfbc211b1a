// What limits by key cost: the same readings without any, and with at most three at a time of each
// of a hundred customers.
//
// Guarantees: both rows are measured on one stack, one after the other; the limit is one that the
// workers' own concurrency does not reach on the whole, so that what is seen is the bookkeeping.

import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { Figure } from "./figure.ts";
import { measureThroughput, readingSpec, type ThroughputOptions } from "./throughput.ts";

const CUSTOMERS = 100;
const LIMIT = 3;

export async function measureLimits(
  options: Pick<ThroughputOptions, "connection" | "measureMs">,
): Promise<Figure[]> {
  const free = await measureThroughput({ ...options, what: ", no limits" });
  const what = `, ${LIMIT} at a time of ${CUSTOMERS} keys`;
  const limited = await measureThroughput({ ...options, specOf: limitedSpec, what });
  return [...free, ...limited];
}

function limitedSpec(number: number): JobSpec {
  const concurrencyKeys = [{ key: `customer:${number % CUSTOMERS}`, limit: LIMIT }];
  return { ...readingSpec(number), concurrencyKeys };
}
