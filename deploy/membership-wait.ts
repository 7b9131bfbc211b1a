// Waits until a change of membership is over, and tells on stderr how far it is.
//
// Guarantees: a leader that changes meanwhile does not end the wait; the time does, with
// OUTCOME_UNKNOWN, since the change itself goes on.
// Does not own: the change (the quorum's leader brings it to its end by itself).

import { setTimeout as delay } from "node:timers/promises";
import type { GetClusterResponse } from "../protos/gen/quorumq/v1/cluster_service.ts";
import { PipelineError } from "../transport/pipeline-error.ts";
import { refusal } from "../transport/reason.ts";
import type { Ask } from "./ask.ts";
import { lagOf } from "./cluster-output.ts";

export type Goal = "voters" | "gone";

const POLL_MS = 300;
/** A line a node, at most this often, while all that changes is a number. */
const SAY_EVERY_MS = 5_000;
/** For the answer to one look; the next one asks again. */
const LOOK_TIMEOUT_MS = 5_000;

export async function untilChanged(
  { connection, timeoutMs }: Pick<Ask, "connection" | "timeoutMs">,
  nodeIds: readonly string[],
  goal: Goal,
): Promise<void> {
  const progress = new Progress();
  while (timeoutMs() > 1) {
    const cluster = await look(connection.cluster, Math.min(timeoutMs(), LOOK_TIMEOUT_MS));
    if (cluster !== null) {
      if (isReached(cluster, nodeIds, goal)) return;
      progress.tell(cluster, nodeIds);
    }
    await delay(Math.min(POLL_MS, timeoutMs()));
  }
  throw refusal(
    "OUTCOME_UNKNOWN",
    "the time is over and the change is under way: it goes on, see `quorumq cluster status`",
    { metadata: { node_ids: nodeIds.join(",") } },
  );
}

export function isReached(
  { nodes, isJoint }: GetClusterResponse,
  nodeIds: readonly string[],
  goal: Goal,
): boolean {
  if (isJoint) return false;
  if (goal === "gone") return !nodes.some(({ id }) => nodeIds.includes(id));
  return nodeIds.every((wanted) => nodes.some(({ id, isVoter }) => id === wanted && isVoter));
}

/** null: there is no answer at present. */
async function look(
  cluster: Ask["connection"]["cluster"],
  timeoutMs: number,
): Promise<GetClusterResponse | null> {
  try {
    return await cluster.getCluster({}, { timeoutMs });
  } catch (thrown) {
    // Without a leader for a moment, as when it was the one to be removed.
    if (thrown instanceof PipelineError && thrown.retry !== "never") return null;
    throw thrown;
  }
}

class Progress {
  readonly #said = new Map<string, { readonly phase: string; readonly atMs: number }>();

  tell(cluster: GetClusterResponse, nodeIds: readonly string[]): void {
    const nowMs = performance.now();
    for (const id of nodeIds) {
      const [phase, detail] = stateOf(cluster, id);
      const before = this.#said.get(id);
      const isNews = before?.phase !== phase || nowMs - before.atMs >= SAY_EVERY_MS;
      if (!isNews) continue;
      this.#said.set(id, { phase, atMs: nowMs });
      process.stderr.write(`${id}: ${phase}${detail}\n`);
    }
  }
}

function stateOf(
  { nodes, isJoint, commitIndex }: GetClusterResponse,
  id: string,
): readonly [phase: string, detail: string] {
  const node = nodes.find((one) => one.id === id);
  const joint = isJoint ? ", two sets of voters decide" : "";
  if (node === undefined) return [`no member${joint}`, ""];
  if (node.isVoter) return [`voter${joint}`, ""];
  if (node.isFetchingSnapshot) return ["learner, fetches a snapshot", ""];
  return ["learner", `, ${lagOf(node, commitIndex)} entries behind`];
}
