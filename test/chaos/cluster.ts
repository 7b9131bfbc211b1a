// The quorum as an operator sees and steers it during a run.
//
// Guarantees: what is retryable is asked again until it is answered or the time is over. Looking is
// repeated on a clock: nobody tells when a cluster has become whole.

import { setTimeout as delay } from "node:timers/promises";
import type { GetClusterResponse, Node } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";

export type ClusterClient = JobsConnection["cluster"];

const CALL_TIMEOUT_MS = 5_000;
const LOOK_EVERY_MS = 100;
const INSIST_PAUSE_MS = 250;
/** Whoever was heard of so lately is in contact. */
const CONTACT_MS = 1_000;
const RETRYABLE = new Set([
  ...["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"],
  // Another change or transfer is under way, or a joiner has not said hello lately.
  ...["FAILED_PRECONDITION", "ABORTED", "NOT_FOUND"],
]);

/** Asks until the answer is not "later"; rejects with the last error when the time is over. */
export async function insist<T>(timeoutMs: number, ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { code } = PipelineError.from(error);
      if (!RETRYABLE.has(code) || performance.now() > untilMs) throw error;
      await delay(INSIST_PAUSE_MS);
    }
  }
}

export function clusterNow(cluster: ClusterClient): Promise<GetClusterResponse> {
  return insist(30_000, () => cluster.getCluster({}, { timeoutMs: CALL_TIMEOUT_MS }));
}

export async function leaderOf(cluster: ClusterClient): Promise<string> {
  const { leaderId } = await clusterNow(cluster);
  return leaderId;
}

/** Resolves with the first view that will do; rejects, with the last one, when time is over. */
export async function untilCluster(
  cluster: ClusterClient,
  isReached: (view: GetClusterResponse) => boolean,
  timeoutMs: number,
  what: string,
): Promise<GetClusterResponse> {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const view = await clusterNow(cluster);
    if (isReached(view)) return view;
    if (performance.now() > untilMs) {
      throw new Error(`waited ${timeoutMs} ms for ${what}: ${JSON.stringify(view)}`);
    }
    await delay(LOOK_EVERY_MS);
  }
}

/**
 * These nodes and no others vote, all in contact, and each has on disk what was committed when
 * this was asked.
 */
export async function untilWhole(
  cluster: ClusterClient,
  names: readonly string[],
  timeoutMs: number,
  isMore: (view: GetClusterResponse) => boolean = () => true,
): Promise<GetClusterResponse> {
  const wanted = names.toSorted().join();
  const { commitIndex } = await clusterNow(cluster);
  const isWell = ({ isVoter, lastContactMs, matchIndex }: Node): boolean =>
    isVoter && lastContactMs < CONTACT_MS && matchIndex >= commitIndex;
  const isWhole = (view: GetClusterResponse): boolean =>
    !view.isJoint &&
    view.nodes
      .map(({ id }) => id)
      .sort()
      .join() === wanted &&
    view.nodes.every(isWell) &&
    isMore(view);
  return untilCluster(cluster, isWhole, timeoutMs, `${wanted} to be whole`);
}

export function storeIdOf(view: GetClusterResponse, id: string): string {
  return view.nodes.find((node) => node.id === id)?.storeId ?? "";
}
