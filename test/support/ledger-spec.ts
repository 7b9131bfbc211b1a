// The smallest job that the ledger takes, to be changed by tests: the one place of the tests that
// names every field of a submission.

import type { JobSpec } from "../../ledger/command.ts";

export function ledgerSpec(change: Partial<JobSpec> = {}): JobSpec {
  return {
    kind: "mail",
    queue: "",
    payload: Buffer.from("{}"),
    priority: 0,
    runAtMs: 0,
    maxAttempts: 0,
    backoff: null,
    attemptTimeoutMs: 0,
    totalTimeoutMs: 0,
    lockKeys: [],
    concurrencyKeys: [],
    idempotencyKey: "",
    traceparent: "",
    parent: 0,
    onChildFailure: "fail-parent",
    ...change,
  };
}
