// Counting: what a majority of the voters has reached, and how an election stands.
//
// Guarantees: one value a voter and one vote a voter, whoever else has answered; the same function
// gives the commit index, the confirmed read round and the time of a quorum's last contact, so
// there is one place to be right. Does not own: who votes (configuration.ts).

import type { Configuration } from "./configuration.ts";
import type { NodeId } from "./message.ts";

export function majority(configuration: Configuration): number {
  return Math.floor(configuration.voters.length / 2) + 1;
}

/** The highest value that a majority has reached, if each voter has reached reachedBy(voter). */
export function reachedByMajority(
  configuration: Configuration,
  reachedBy: (voter: NodeId) => number,
): number {
  const descending = configuration.voters.map(reachedBy).sort((left, right) => right - left);
  return descending[majority(configuration) - 1] ?? 0;
}

export type Tally = "won" | "lost" | "open";

/** Answers of those who do not vote are not looked at. */
export function tally(configuration: Configuration, votes: ReadonlyMap<NodeId, boolean>): Tally {
  let granted = 0;
  let refused = 0;
  for (const voter of configuration.voters) {
    const vote = votes.get(voter);
    if (vote === true) granted += 1;
    if (vote === false) refused += 1;
  }
  if (granted >= majority(configuration)) return "won";
  // Lost when even all the silent ones could not make a majority any more.
  return configuration.voters.length - refused < majority(configuration) ? "lost" : "open";
}
