// The job behind helloworld.Greeter: {name} in, {message} out.
//
// Guarantees: the message is exactly what the gRPC quick start answers.

import { z } from "zod";
import { defineJob } from "../define-job.ts";

export const greet = defineJob({
  kind: "greet",
  queue: "greetings",
  input: z.object({ name: z.string() }),
  output: z.object({ message: z.string() }),
  retry: { maxAttempts: 5, backoff: { initialMs: 100, multiplier: 2, maxMs: 5_000 } },
  timeoutMs: 10_000,
  handler: ({ name }) => ({ message: `Hello ${name}` }),
});
