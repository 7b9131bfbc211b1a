// All planted bugs, in the order of the table.

import { COMMIT_MUTANTS } from "./area/commits.ts";
import { DISK_MUTANTS } from "./area/disks.ts";
import { ELECTION_MUTANTS } from "./area/elections.ts";
import { JOB_MUTANTS } from "./area/jobs.ts";
import { LOCK_MUTANTS } from "./area/locks.ts";
import { MEMBER_MUTANTS } from "./area/members.ts";
import { QUEUE_MUTANTS } from "./area/queues.ts";
import { READ_MUTANTS } from "./area/reads.ts";
import { RETENTION_MUTANTS } from "./area/retention.ts";
import { RUN_MUTANTS } from "./area/runs.ts";
import { SNAPSHOT_MUTANTS } from "./area/snapshots.ts";
import type { Mutant } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [
  ...ELECTION_MUTANTS,
  ...COMMIT_MUTANTS,
  ...DISK_MUTANTS,
  ...SNAPSHOT_MUTANTS,
  ...MEMBER_MUTANTS,
  ...READ_MUTANTS,
  ...JOB_MUTANTS,
  ...RUN_MUTANTS,
  ...LOCK_MUTANTS,
  ...QUEUE_MUTANTS,
  ...RETENTION_MUTANTS,
];
