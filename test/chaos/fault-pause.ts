// SIGSTOP of a process for longer than others wait for it, then SIGCONT: a long pause of the
// garbage collector, a suspended machine. It wakes up believing that no time has passed.

import { type Fault, nodeOfRank, type Rank, type World, type Wound } from "./fault.ts";
import { partOf } from "./fault-kill.ts";

/** Election timeouts are 1 to 2 s. */
const PAST_ELECTION_MS = 3_000;
/** Past the lease of the run (main.ts) and the next tick of the ledger. */
const PAST_LEASE_MS = 4_500;

export function pauseNode(rank: Rank): Fault {
  return {
    name: `pause ${rank}`,
    holdMs: PAST_ELECTION_MS,
    strike: async (world) => pause(world, [await nodeOfRank(world, rank)]),
  };
}

/** The leader and as many others as leave no majority: nothing can be accepted meanwhile. */
export const pauseMajority: Fault = {
  name: "pause majority",
  holdMs: PAST_ELECTION_MS,
  strike: async (world) => {
    const leader = await nodeOfRank(world, "leader");
    const others = world.dice.shuffled(world.members.filter((id) => id !== leader));
    const count = Math.floor(world.members.length / 2);
    return pause(world, [leader, ...others.slice(0, count)]);
  },
};

export function pausePart(part: "gateway" | "worker" | "rabbitmq" | "redis"): Fault {
  return {
    name: `pause ${part}`,
    holdMs: part === "worker" ? PAST_LEASE_MS : PAST_ELECTION_MS,
    strike: async (world) => pause(world, [partOf(world, part)]),
  };
}

function pause({ parts }: World, ids: readonly string[]): Wound {
  const pids = ids.map((id) => parts.signal(id, "SIGSTOP"));
  return {
    victim: ids.join(" "),
    heal: async () => {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    },
  };
}
