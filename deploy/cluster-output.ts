// How the quorum looks on a terminal, and as JSON for programs.
//
// Guarantees: JSON has the protos' fields, roles by their word.

import {
  type GetClusterResponse,
  type Node,
  NodeRole,
  type TakeSnapshotResponse,
} from "../protos/gen/quorumq/v1/cluster_service.ts";
import {
  coloured,
  type Form,
  printFields,
  printJson,
  printLine,
  printTable,
  wordOf,
} from "./print.ts";

const HEAD = [
  ...["NODE", "STORE", "ROLE", "MEMBER", "MATCH", "LAG", "LAST CONTACT", "INCARNATION"],
] as const;

export function printCluster(cluster: GetClusterResponse, form: Form): void {
  const nodes = cluster.nodes.map((node) => ({
    ...node,
    role: wordOf(NodeRole, node.role, "NODE_ROLE_"),
  }));
  if (form === "json") {
    printJson({ ...cluster, nodes });
    return;
  }
  const { term, commitIndex, appliedIndex, firstLogIndex, snapshotIndex } = cluster;
  printFields({
    cluster: cluster.cluster,
    leader: `${cluster.leaderId}, term ${term}`,
    committed: `${commitIndex}, applied ${appliedIndex}`,
    log: `from ${firstLogIndex}, snapshot up to ${snapshotIndex}`,
    change: cluster.isJoint ? coloured("yellow", "joint: two sets of voters decide") : "",
    waiting: cluster.waitingNodeIds.join(", "),
  });
  printLine("");
  printTable(
    HEAD,
    cluster.nodes.map((node, at) => [
      node.id,
      node.storeId,
      nodes[at]?.role ?? "",
      node.isVoter ? "voter" : "learner",
      String(node.matchIndex),
      lagOf(node, commitIndex),
      node.role === NodeRole.NODE_ROLE_LEADER ? "-" : `${node.lastContactMs} ms`,
      String(node.incarnation),
    ]),
  );
  printLine("");
  printCounts(cluster);
}

/** How far a node is behind what is committed. */
export function lagOf({ matchIndex, isFetchingSnapshot }: Node, commitIndex: number): string {
  return isFetchingSnapshot ? "snapshot" : String(Math.max(0, commitIndex - matchIndex));
}

export function printNodes(nodeIds: readonly string[], state: string, form: Form): void {
  if (form === "json") printJson({ nodeIds, state });
  else for (const id of nodeIds) printLine(`${id}  ${state}`);
}

export function printLeader(leaderId: string, form: Form): void {
  if (form === "json") printJson({ leaderId });
  else printLine(leaderId);
}

export function printSnapshot({ index, bytes }: TakeSnapshotResponse, form: Form): void {
  if (form === "json") printJson({ index, bytes });
  else printFields({ index: String(index), bytes: String(bytes) });
}

/** Nothing, if there is none. */
function schedulesOf(counts: GetClusterResponse["counts"]): string {
  if (counts === undefined || counts.schedules === 0) return "";
  const slots = [
    [counts.slotsFired, "with a job"],
    [counts.slotsPending, "waiting"],
    [counts.slotsSkipped, "skipped"],
    [counts.slotsMissed, "missed"],
    [counts.slotsRefused, "refused"],
  ] as const;
  const told = slots.filter(([count], at) => at === 0 || count > 0);
  const paused = counts.schedulesPaused === 0 ? "" : ` (${counts.schedulesPaused} paused)`;
  return `${counts.schedules}${paused}, slots: ${told.map((one) => one.join(" ")).join(", ")}`;
}

function printCounts({ counts }: GetClusterResponse): void {
  printFields({
    accepted: String(counts?.accepted ?? 0),
    "waiting jobs": `${counts?.queued ?? 0} queued, ${counts?.scheduled ?? 0} scheduled`,
    running: String(counts?.running ?? 0),
    finished: `${counts?.succeeded ?? 0} succeeded, ${counts?.failed ?? 0} failed, ${
      counts?.cancelled ?? 0
    } cancelled`,
    forgotten: String(counts?.forgotten ?? 0),
    schedules: schedulesOf(counts),
    "refused late": String(counts?.refusedLate ?? 0),
  });
}
