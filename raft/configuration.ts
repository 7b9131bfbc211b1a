// Who votes, as a value: everything that counts votes or acks takes it as an argument.
//
// Guarantees: a configuration is never changed in place, so that one that is dropped with a
// truncated entry is dropped whole. Does not own: the counting (quorum.ts).

import { assert } from "./invariant.ts";
import type { NodeId } from "./message.ts";

export interface Configuration {
  readonly voters: readonly NodeId[];
}

export function createConfiguration(voters: readonly NodeId[]): Configuration {
  assert(voters.length > 0, "I24", "a cluster has at least one voter");
  assert(new Set(voters).size === voters.length, "I24", "voters are distinct", ...voters);
  return { voters: [...voters] };
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id);
}

export function isSoleVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.length === 1 && configuration.voters[0] === id;
}

export function peersOf(configuration: Configuration, id: NodeId): readonly NodeId[] {
  return configuration.voters.filter((voter) => voter !== id);
}
