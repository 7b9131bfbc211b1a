// kill -9 of a process; whoever supervises it starts it again with the same data.

import { type Fault, nodeOfRank, type Rank, type World } from "./fault.ts";

type Part = "gateway" | "worker" | "rabbitmq" | "redis";

export function killNode(rank: Rank): Fault {
  return {
    name: `kill ${rank}`,
    holdMs: 0,
    strike: async (world) => kill(world, [await nodeOfRank(world, rank)]),
  };
}

export function killPart(part: Part): Fault {
  return {
    name: `kill ${part}`,
    holdMs: 0,
    strike: async (world) => kill(world, [partOf(world, part)]),
  };
}

/** What was acknowledged is on their disks, or nowhere. */
export const killAllNodes: Fault = {
  name: "kill all nodes",
  holdMs: 0,
  strike: async (world) => kill(world, world.members),
};

export function partOf({ parts, dice }: World, part: Part): string {
  return part === "worker" ? dice.from(parts.stack.processes("worker")).id : part;
}

function kill({ parts }: World, ids: readonly string[]): ReturnType<Fault["strike"]> {
  const pids = ids.map((id) => parts.signal(id, "SIGKILL"));
  return Promise.resolve({
    victim: ids.join(" "),
    heal: async () => {
      await Promise.all(ids.map((id, at) => parts.restarted(id, pids[at] ?? 0)));
    },
  });
}
