// The smallest job that a gateway takes, to be changed by tests.

import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";

export function jobSpec(change: Partial<JobSpec> = {}): JobSpec {
  return {
    kind: "echo",
    queue: "",
    payload: Buffer.from("{}", "utf8"),
    priority: 0,
    runAt: undefined,
    maxAttempts: 0,
    backoff: undefined,
    attemptTimeout: undefined,
    lockKeys: [],
    idempotencyKey: "",
    ...change,
  };
}
