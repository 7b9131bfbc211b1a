// Answers clients' reads from a ledger that has applied enough (ReadIndex is the driver's part).
//
// Guarantees: an answer fits one message: a list gives at most a page, and a read of many jobs
// stops with has_more before the bytes get too many, in the order asked. What is returned shares
// nothing that the ledger will change.
// Does not own: whether this node may answer (driver.ts), nor page tokens (grpc).

import assert from "node:assert";
import { getJob, type Ledger, listJobs } from "../ledger/ledger.ts";
import type {
  ReadJobs,
  ReadList,
  Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../protos/gen/node/v1/exchange.ts";
import type { GetClusterResponse } from "../protos/gen/quorumq/v1/cluster_service.ts";
import type { Job as WireJob } from "../protos/gen/quorumq/v1/job.ts";
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, READ_BYTES_MAX } from "./limit.ts";
import { fromWireState, toWireJob } from "./result-codec.ts";

/** `index` is what the ledger has applied; `cluster` must be given for a read of the cluster. */
export function answerRead(
  ledger: Ledger,
  read: WireRead,
  index: number,
  cluster?: GetClusterResponse,
): WireReadAnswer {
  // A read of a newer version has been refused by the mailbox: an empty answer would be a lie.
  assert(read.read !== undefined, "a read without a question");
  switch (read.read.$case) {
    case "jobs":
      return { index, ...jobsOf(ledger, read.read.value), cluster: undefined };
    case "list":
      return { index, ...pageOf(ledger, read.read.value), cluster: undefined };
    case "cluster":
      assert(cluster !== undefined, "a read of the cluster without its view");
      return { index, jobs: [], hasMore: false, cluster };
  }
}

function jobsOf(ledger: Ledger, { jobIds }: ReadJobs): { jobs: WireJob[]; hasMore: boolean } {
  const jobs: WireJob[] = [];
  let bytes = 0;
  for (const [position, id] of jobIds.entries()) {
    const job = getJob(ledger, id);
    if (job === undefined) continue;
    bytes += job.payload.byteLength + (job.result?.byteLength ?? 0);
    const isFull = position >= PAGE_SIZE_MAX || bytes > READ_BYTES_MAX;
    if (isFull && jobs.length > 0) return { jobs, hasMore: true };
    jobs.push(toWireJob(job, { hasBodies: true }));
  }
  return { jobs, hasMore: false };
}

function pageOf(ledger: Ledger, list: ReadList): { jobs: WireJob[]; hasMore: boolean } {
  const limit = Math.min(list.pageSize === 0 ? PAGE_SIZE_DEFAULT : list.pageSize, PAGE_SIZE_MAX);
  const state = fromWireState(list.state);
  const { jobs, hasMore } = listJobs(ledger, {
    beforeJobId: list.beforeJobId,
    state,
    kind: list.kind,
    queue: list.queue,
    limit,
  });
  return { jobs: jobs.map((job) => toWireJob(job, { hasBodies: false })), hasMore };
}
