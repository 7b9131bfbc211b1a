// A job file for the benchmark's workers: a handler that stays until its worker is killed.
//
// Guarantees: a second attempt ends at once, so that its end tells when it began.

import { once } from "node:events";
import { z } from "zod";
import { defineJob } from "../../workers/index.ts";

export const stay = defineJob({
  kind: "bench-stay",
  queue: "bench-stay",
  input: z.object({}),
  retry: { maxAttempts: 5, backoff: { initialMs: 1, multiplier: 1, maxMs: 1 } },
  handler: async (_input, { attempt, signal }) => {
    if (attempt === 1) await once(signal, "abort");
    signal.throwIfAborted();
  },
});
