// Who votes and who only listens, as a value: everything that counts votes or acks takes it as an
// argument.
//
//   stable  voters                    a majority of the voters decides
//   joint   voters + outgoing         a majority of each decides (§6): between two stable ones
//
// Guarantees: a configuration is never changed in place, so that one that is dropped with a
// truncated entry is dropped whole. Learners are sent the log and never counted. A node that is to
// stop voting is in `outgoing`, and may be among the learners of what comes after.
// Does not own: the counting (quorum.ts) nor which one is in force (membership.ts).

import { assert } from "./invariant.ts";

/**
 * Names a member for as long as its disk lives: the same name on a new disk is another node, so a
 * wiped one cannot vote twice (transport/member-id.ts makes them; opaque here).
 */
export type NodeId = string;

export interface Configuration {
  readonly voters: readonly NodeId[];
  /** The voters before, while both sets must agree; empty otherwise. */
  readonly outgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

/** What a change of membership asks for. */
export interface Target {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

/** Of a node that has not joined a cluster: it neither campaigns nor counts. */
export const NO_MEMBERS: Configuration = { voters: [], outgoing: [], learners: [] };

export function createConfiguration(
  voters: readonly NodeId[],
  learners: readonly NodeId[] = [],
  outgoing: readonly NodeId[] = [],
): Configuration {
  assert(voters.length > 0, "I24", "a cluster has at least one voter");
  for (const ids of [voters, learners, outgoing]) {
    assert(new Set(ids).size === ids.length, "I24", "members are distinct", ...ids);
  }
  const both = learners.filter((id) => voters.includes(id));
  assert(both.length === 0, "I24", "a learner does not vote", ...both);
  return { voters: [...voters], outgoing: [...outgoing], learners: [...learners] };
}

export function isJoint({ outgoing }: Configuration): boolean {
  return outgoing.length > 0;
}

export function isVoter({ voters, outgoing }: Configuration, id: NodeId): boolean {
  return voters.includes(id) || outgoing.includes(id);
}

export function isMember(configuration: Configuration, id: NodeId): boolean {
  return isVoter(configuration, id) || configuration.learners.includes(id);
}

export function isSoleVoter({ voters, outgoing }: Configuration, id: NodeId): boolean {
  return outgoing.length === 0 && voters.length === 1 && voters[0] === id;
}

/** All members, once each. */
export function membersOf({ voters, outgoing, learners }: Configuration): readonly NodeId[] {
  return [...new Set([...voters, ...outgoing, ...learners])];
}

export function peersOf(configuration: Configuration, id: NodeId): readonly NodeId[] {
  return membersOf(configuration).filter((member) => member !== id);
}

/** Who is asked for a vote. */
export function votingPeersOf(configuration: Configuration, id: NodeId): readonly NodeId[] {
  return peersOf(configuration, id).filter((peer) => isVoter(configuration, peer));
}

/** How many of the two sets of voters are in one of them only. */
export function voterDifference(one: readonly NodeId[], other: readonly NodeId[]): number {
  const gone = one.filter((id) => !other.includes(id)).length;
  const come = other.filter((id) => !one.includes(id)).length;
  return gone + come;
}

/** The data of an entry of kind Configuration: JSON, UTF-8. */
export function encodeConfiguration({ voters, outgoing, learners }: Configuration): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ voters, outgoing, learners }));
}

/** Null for bytes that are none: a peer that sent them is refused, a disk with them is damaged. */
export function decodeConfiguration(data: Uint8Array): Configuration | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(data));
  } catch {
    // JSON.parse tells "not JSON" by throwing; the caller decides what that means.
    return null;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const { voters, outgoing, learners } = parsed as Partial<Record<keyof Configuration, unknown>>;
  if (!areIds(voters) || !areIds(outgoing) || !areIds(learners)) return null;
  return { voters, outgoing, learners };
}

function areIds(ids: unknown): ids is NodeId[] {
  return Array.isArray(ids) && ids.every((id) => typeof id === "string" && id !== "");
}
