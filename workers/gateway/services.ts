// All handlers of the API, made once and served by every door: gRPC and HTTP.
//
// Guarantees: a method that is here is at both doors, and the same function at both.

import type {
  ClusterHandlers,
  GreeterHandlers,
  JobHandlers,
  LockHandlers,
} from "../../transport/grpc/server.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { clusterHandlers } from "./cluster.ts";
import type { JobFollower } from "./follower.ts";
import { greeterHandlers } from "./greeter.ts";
import { jobHandlers } from "./jobs.ts";
import { listLocksHandler } from "./list-locks.ts";
import type { LockWaits } from "./lock-waits.ts";
import { lockHandlers } from "./locks.ts";
import { queueHandlers } from "./queues.ts";
import { retryHandlers } from "./retry.ts";
import { scheduleHandlers } from "./schedules.ts";
import { submitHandlers } from "./submit.ts";
import { waitHandlers } from "./wait.ts";

export interface ServiceHandlers {
  readonly greeter: GreeterHandlers;
  readonly jobs: JobHandlers;
  readonly cluster: ClusterHandlers;
  readonly locks: LockHandlers;
}

export function serviceHandlers(
  quorum: Quorum,
  follower: JobFollower,
  lockWaits: LockWaits,
): ServiceHandlers {
  return {
    greeter: greeterHandlers(quorum, follower),
    jobs: {
      ...submitHandlers(quorum),
      ...waitHandlers(quorum, follower),
      ...jobHandlers(quorum),
      ...queueHandlers(quorum),
      ...listLocksHandler(quorum),
      ...retryHandlers(quorum),
      ...scheduleHandlers(quorum),
    },
    cluster: clusterHandlers(quorum),
    locks: lockHandlers(quorum, lockWaits),
  };
}
