// Changes from one configuration to the next (§6, dissertation chapter 4).
//
//   by one voter    C-old ──────────────▶ C-new                 (dissertation §4.1)
//   any other       C-old ─▶ C-old,new ─▶ C-new    C-new follows by itself once C-old,new
//                                                  is committed  (dissertation §4.3)
//
// Guarantees: a leader begins a change only when the last one is committed and an entry of its own
// term is as well (Ongaro's correction of 2015: else single changes by two leaders may give
// majorities that do not overlap). Learners become voters once they have caught up, so that a new
// voter never makes the quorum wait for it. A leader that is no voter any more goes on until that
// is committed, without counting itself, and then hands over.
// Does not own: which configuration is in force (membership.ts).

import {
  type Configuration,
  createConfiguration,
  encodeConfiguration,
  isJoint,
  isMember,
  isVoter,
  type Target,
  voterDifference,
} from "./configuration.ts";
import { becomeFollower } from "./election.ts";
import type { RequestId } from "./input.ts";
import { EntryKind, type LogIndex } from "./message.ts";
import { leaderState, type RaftNode } from "./node.ts";
import { refuse } from "./refusal.ts";
import { appendOwn, sendHeartbeat, sendHeartbeats } from "./replication.ts";
import { furthestVoter, handOver } from "./transfer.ts";

/** What was asked for, put into the log, or refused with nothing done. */
export function changeMembership(node: RaftNode, requestId: RequestId, target: Target): void {
  const { leading } = node;
  if (leading === null) refuse(node, requestId, "not-leader");
  else if (leading.transfer !== null) refuse(node, requestId, "transferring");
  else if (!mayChange(node)) refuse(node, requestId, "busy");
  else if (!isSound(target) || !areReady(node, target)) refuse(node, requestId, "invalid");
  else {
    const index = appendConfiguration(node, configurationTowards(node.configuration, target));
    node.outbox.emit({ kind: "appended", requestId, term: node.currentTerm, index });
  }
}

/** The last change is over, and this leader has committed in its own term (Ongaro, 2015). */
function mayChange(node: RaftNode): boolean {
  const { termStartIndex } = leaderState(node);
  return (
    !isJoint(node.configuration) &&
    node.membership.currentIndex <= node.commitIndex &&
    termStartIndex <= node.commitIndex
  );
}

function isSound({ voters, learners }: Target): boolean {
  const members = [...voters, ...learners];
  const areNamed = members.every((id) => id !== "");
  return voters.length > 0 && areNamed && new Set(members).size === members.length;
}

/** A blank node gives no vote: as a voter it could leave the others without a majority for good. */
function areReady(node: RaftNode, { voters }: Target): boolean {
  const { peers } = leaderState(node);
  return voters.every((id) => {
    const isKnown = isVoter(node.configuration, id) || id === node.id;
    return isKnown || (peers.get(id)?.matchIndex ?? 0) > 0;
  });
}

function configurationTowards(current: Configuration, { voters, learners }: Target): Configuration {
  const isSingle = voterDifference(current.voters, voters) <= 1;
  return createConfiguration(voters, learners, isSingle ? [] : current.voters);
}

function appendConfiguration(node: RaftNode, configuration: Configuration): LogIndex {
  const index = node.log.lastIndex + 1;
  const term = node.currentTerm;
  const data = encodeConfiguration(configuration);
  appendOwn(node, [{ term, index, kind: EntryKind.Configuration, data, traceparent: "" }]);
  return index;
}

/**
 * What a leader does about membership by itself, at the end of its steps: leaves a joint
 * configuration once that is committed, and makes learners voters once they have caught up.
 */
export function advanceMembership(node: RaftNode): void {
  const { leading, configuration, membership, commitIndex } = node;
  if (leading === null || membership.currentIndex > commitIndex) return;
  if (commitIndex < leading.termStartIndex) return;
  const { voters, learners } = configuration;
  if (isJoint(configuration)) {
    appendConfiguration(node, createConfiguration(voters, learners));
    return;
  }
  forgetFormerPeers(node);
  if (!isVoter(configuration, node.id)) {
    retire(node);
    return;
  }
  if (learners.length === 0 || leading.transfer !== null) return;
  const ready = learners.filter((learner) => hasCaughtUp(node, learner));
  if (ready.length === 0) return;
  const target = {
    voters: [...voters, ...ready],
    learners: learners.filter((learner) => !ready.includes(learner)),
  };
  appendConfiguration(node, configurationTowards(configuration, target));
}

/** The last heartbeat tells them that their removal is committed. */
function forgetFormerPeers(node: RaftNode): void {
  const { peers } = leaderState(node);
  for (const peer of peers.keys()) {
    if (isMember(node.configuration, peer)) continue;
    sendHeartbeat(node, peer);
    peers.delete(peer);
  }
}

/** The configuration without this leader is committed (§6, the second issue). */
function retire(node: RaftNode): void {
  sendHeartbeats(node);
  const heir = furthestVoter(node);
  if (heir !== null) handOver(node, heir);
  becomeFollower(node, node.currentTerm, null);
}

/** A voter that lags would make the quorum wait for it; one that is silent even more so. */
function hasCaughtUp(node: RaftNode, learner: string): boolean {
  const progress = leaderState(node).peers.get(learner);
  if (progress === undefined || progress.mode !== "replicate") return false;
  const isHeard = node.nowMs - progress.heardMs < node.options.electionTimeoutMs.min;
  const lag = node.log.lastIndex - progress.matchIndex;
  return isHeard && progress.matchIndex > 0 && lag <= node.options.limits.promotionLagMax;
}
