// The smallest job that a gateway takes, to be changed by tests.

import { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";

export function jobSpec(change: Partial<JobSpec> = {}): JobSpec {
  const echo = { kind: "echo", payload: Buffer.from("{}", "utf8") };
  return { ...JobSpec.fromPartial(echo), ...change };
}
