// Example: many small readings from many devices.
//
// Run a worker:   npx quorumq worker workers/examples/ingest-reading.ts --concurrency 200
// Submit a job:   npx quorumq submit ingest-reading \
//                   '{"deviceId":"d-1","at":1700000000000,"celsius":21.5}' \
//                   --key d-1-1700000000000
//
// Shows: a queue of its own, so that bursts of readings never delay other work; short attempts;
// cheap retries; and the device's own key as idempotency key, so that a device may send again
// whatever it is not sure of. For throughput submit with SubmitJobs (a stream) or BatchSubmitJobs.

import { z } from "zod";
import { defineJob } from "../index.ts";

interface Latest {
  at: number;
  celsius: number;
}

/** In memory, so that the file runs alone; yours is a time-series database. */
const latest = new Map<string, Latest>();

export const ingestReading = defineJob({
  kind: "ingest-reading",
  queue: "readings",
  input: z.object({
    deviceId: z.string().min(1),
    at: z.int().positive(),
    celsius: z.number().min(-273.15),
  }),
  retry: { maxAttempts: 10, backoff: { initialMs: 50, multiplier: 2, maxMs: 5_000 } },
  timeoutMs: 2_000,
  handler({ deviceId, at, celsius }) {
    const before = latest.get(deviceId);
    // Readings may run in any order, and twice: the later one stays.
    const isNewer = before === undefined || at > before.at;
    if (isNewer) latest.set(deviceId, { at, celsius });
    return { isNewer };
  },
});
