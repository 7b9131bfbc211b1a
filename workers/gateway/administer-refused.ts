// Why the leader does not do what an operator asks, in the words of callers.
//
// Guarantees: each reason has one code (transport/reason.ts), and the message says what to do about
// it, which depends on what was asked.

import {
  type AdministerRefused,
  AdministerRefused_Reason as Reason,
} from "../../protos/gen/node/v1/exchange.ts";
import type { PipelineError } from "../../transport/pipeline-error.ts";
import type { AdministerAction } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import { quoted } from "./violations.ts";

export function administerRefused(
  { reason, nodeId: refusedId }: AdministerRefused,
  action: AdministerAction,
): PipelineError {
  const isTransfer = action.$case === "transferLeadership";
  const nodeId = refusedId === "" && isTransfer ? action.value.nodeId : refusedId;
  const metadata: Readonly<Record<string, string>> = nodeId === "" ? {} : { node_id: nodeId };
  const node = nodeId === "" ? "node" : `node ${quoted(nodeId)}`;
  switch (reason) {
    case Reason.REASON_BUSY:
      return refusal(
        "MEMBERSHIP_BUSY",
        "nothing was changed: another change, transfer, snapshot or comparison is under way",
      );
    case Reason.REASON_NODE_UNKNOWN:
      return refusal("NODE_UNKNOWN", unknown(node, action), { metadata });
    case Reason.REASON_TRANSFER_ABORTED:
      return refusal(
        "TRANSFER_ABORTED",
        `the ${node} did not take over in time; the leader still leads`,
        { metadata },
      );
    default:
      // Also for a reason of a newer version: still a refusal of what was asked for.
      return refusal("NODE_UNFIT", unfit(node, action), { metadata });
  }
}

function unknown(node: string, { $case }: AdministerAction): string {
  switch ($case) {
    case "addNode":
      return `no ${node} waits to join: start it with --members naming a member, then add it`;
    case "transferLeadership":
      return `no ${node} votes`;
    default:
      return `no ${node} is a member`;
  }
}

function unfit(node: string, { $case }: AdministerAction): string {
  switch ($case) {
    case "addNode":
      return `the ${node} is a member already`;
    case "removeNode":
      return `the ${node} cannot be removed: no voter would be left`;
    case "transferLeadership":
      return `the ${node} cannot lead: it does not vote, or was not heard of lately`;
    default:
      return "the leader refuses to do it";
  }
}
