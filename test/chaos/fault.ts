// What a fault is: something that goes wrong in real processes, and how it is made good again.
//
// Guarantees: a fault draws its victim from the seed's dice; whatever it leaves wrong is undone by
// its wound's `heal`, which the run calls also when something failed meanwhile.
// Does not own: which faults there are (faults.ts), when they happen (schedule.ts, chaos.ts).

import type { GetClusterResponse } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { type ClusterClient, clusterNow } from "./cluster.ts";
import type { Dice } from "./dice.ts";
import type { Parts } from "./parts.ts";

export interface World {
  readonly parts: Parts;
  readonly connection: JobsConnection;
  readonly dice: Dice;
  /** The members of the cluster while nothing is wrong. */
  readonly members: readonly string[];
  /** Settings of every node, for those that a fault starts itself. */
  readonly nodeEnv: Readonly<Record<string, string>>;
}

export interface Wound {
  /** Which process, and what else is worth telling. */
  readonly victim: string;
  /** Takes the cause away. Resolves when what was ended runs again. */
  heal(): Promise<void>;
  /** On top of a whole cluster. */
  isOver?(view: GetClusterResponse): boolean;
}

export interface Fault {
  /** "kill leader" */
  readonly name: string;
  /** From the strike to the healing. */
  readonly holdMs: number;
  strike(world: World): Promise<Wound>;
}

export type Rank = "leader" | "follower" | "node";

/** The node of this rank; of several, one by chance. */
export async function nodeOfRank(world: World, rank: Rank): Promise<string> {
  const leader = (await clusterNow(clusterOf(world))).leaderId;
  if (rank === "leader") return leader;
  return world.dice.from(world.members.filter((id) => rank === "node" || id !== leader));
}

export function clusterOf({ connection }: World): ClusterClient {
  return connection.cluster;
}
