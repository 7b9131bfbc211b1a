// A disk that is slow, and one that is full.
//
// A full disk ends the node at its next write, and again at each start, until there is space.

import { type Fault, nodeOfRank, type Rank } from "./fault.ts";

const SLOW_MS = 5_000;
const FULL_MS = 3_000;

export function slowDisk(rank: Rank, delayMs: number): Fault {
  return {
    name: `slow disk ${rank}`,
    holdMs: SLOW_MS,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      world.parts.slowDisk(victim, delayMs);
      return {
        victim,
        heal: async () => world.parts.slowDisk(victim, 0),
      };
    },
  };
}

export function fullDisk(rank: Rank): Fault {
  return {
    name: `full disk ${rank}`,
    holdMs: FULL_MS,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      const pid = world.parts.pidOf(victim);
      world.parts.fullDisk(victim, true);
      return {
        victim,
        heal: async () => {
          world.parts.fullDisk(victim, false);
          await world.parts.restarted(victim, pid);
        },
      };
    },
  };
}
