// Counting: what a majority of the voters has reached, and how an election stands.
//
// Guarantees: one value a voter and one vote a voter, whoever else has answered; between two
// configurations a majority of each is asked (§6). The same function gives the commit index, the
// confirmed read round and the time of a quorum's last contact, so there is one place to be right.
// Does not own: who votes (configuration.ts).

import type { Configuration } from "./configuration.ts";
import type { NodeId } from "./message.ts";

export function majority(voters: readonly NodeId[]): number {
  return Math.floor(voters.length / 2) + 1;
}

/** The highest value that a quorum has reached, if each voter has reached reachedBy(voter). */
export function reachedByMajority(
  { voters, outgoing }: Configuration,
  reachedBy: (voter: NodeId) => number,
): number {
  const reached = reachedByMost(voters, reachedBy);
  return outgoing.length === 0 ? reached : Math.min(reached, reachedByMost(outgoing, reachedBy));
}

function reachedByMost(voters: readonly NodeId[], reachedBy: (voter: NodeId) => number): number {
  const descending = voters.map(reachedBy).sort((left, right) => right - left);
  return descending[majority(voters) - 1] ?? 0;
}

export type Tally = "won" | "lost" | "open";

/** Answers of those who do not vote are not looked at. */
export function tally(
  { voters, outgoing }: Configuration,
  votes: ReadonlyMap<NodeId, boolean>,
): Tally {
  const tallies = [tallyOf(voters, votes)];
  if (outgoing.length > 0) tallies.push(tallyOf(outgoing, votes));
  if (tallies.includes("lost")) return "lost";
  return tallies.includes("open") ? "open" : "won";
}

function tallyOf(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): Tally {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted += 1;
    if (vote === false) refused += 1;
  }
  if (granted >= majority(voters)) return "won";
  // Lost when even all the silent ones could not make a majority any more.
  return voters.length - refused < majority(voters) ? "lost" : "open";
}
