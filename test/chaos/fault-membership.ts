// Members come and go under load: 3 -> 5 -> 3 with the leader among those that go; the leader
// removed, wiped and added again; leadership handed over.
//
// Guarantees: afterwards the members are those of before.

import { setTimeout as delay } from "node:timers/promises";
import { type ClusterClient, clusterNow, insist, untilCluster, untilWhole } from "./cluster.ts";
import { clusterOf, type Fault, nodeOfRank, type World, type Wound } from "./fault.ts";
import { removeAtOnce } from "./fault-lost-disk.ts";

const STEP_TIMEOUT_MS = 60_000;
const CALL_TIMEOUT_MS = 20_000;
/** From the order to the second of its two entries, in the usual case. */
const CHANGE_MS = 500;

export const growAndShrink: Fault = {
  name: "grow and shrink",
  holdMs: 2_000,
  strike: (world) => grow(world, async () => {}),
};

/** Whoever leads next must finish the change, or begin it anew. */
export const growThroughKill: Fault = {
  name: "grow through kill",
  holdMs: 0,
  strike: (world) =>
    grow(world, async () => {
      const leader = await nodeOfRank(world, "leader");
      await delay(world.dice.below(CHANGE_MS));
      await world.parts.restarted(leader, world.parts.signal(leader, "SIGKILL"));
    }),
};

export const replaceLeader: Fault = {
  name: "replace leader",
  holdMs: 1_000,
  strike: async (world) => {
    const { parts } = world;
    const cluster = clusterOf(world);
    const victim = await nodeOfRank(world, "leader");
    await removeNodes(cluster, [victim]);
    await untilCluster(
      cluster,
      ({ leaderId, nodes }) => leaderId !== victim && nodes.every(({ id }) => id !== victim),
      STEP_TIMEOUT_MS,
      `another leader than ${victim}`,
    );
    const pid = parts.signal(victim, "SIGSTOP");
    removeAtOnce(parts.nodeDir(victim));
    process.kill(pid, "SIGKILL");
    return {
      victim,
      heal: async () => {
        await parts.restarted(victim, pid);
        await addNodes(cluster, [victim]);
      },
    };
  },
};

export const transferLeadership: Fault = {
  name: "transfer",
  holdMs: 0,
  strike: async (world) => {
    const cluster = clusterOf(world);
    const heir = await nodeOfRank(world, "follower");
    await transfer(cluster, heir);
    return { victim: `to ${heir}`, heal: () => Promise.resolve() };
  },
};

async function grow(world: World, meanwhile: () => Promise<void>): Promise<Wound> {
  const { extras } = world.parts;
  const cluster = clusterOf(world);
  const [heir, other] = newNames(world.members);
  await Promise.all([extras.start(heir), extras.start(other)]);
  await Promise.all([addNodes(cluster, [heir, other]), meanwhile()]);
  await untilWhole(cluster, [...world.members, heir, other], STEP_TIMEOUT_MS);
  return {
    victim: `+${heir} +${other}, then -${heir} as the leader -${other}`,
    heal: async () => {
      await transfer(cluster, heir);
      await removeNodes(cluster, [heir, other]);
      await untilCluster(
        cluster,
        ({ isJoint, nodes }) => !isJoint && nodes.length === world.members.length,
        STEP_TIMEOUT_MS,
        "the smaller cluster",
      );
      await Promise.all([extras.stop(heir), extras.stop(other)]);
    },
  };
}

/** Two names that nobody has, in the way of n1, n2, n3. */
function newNames(members: readonly string[]): readonly [string, string] {
  return [`n${members.length + 1}`, `n${members.length + 2}`];
}

/** Refused as unknown until their hellos have reached the leader. */
async function addNodes(cluster: ClusterClient, nodeIds: string[]): Promise<void> {
  await insist(STEP_TIMEOUT_MS, async () => {
    const { nodes } = await clusterNow(cluster);
    // An earlier try may have done it although it was not told.
    if (nodeIds.every((id) => nodes.some((node) => node.id === id))) return;
    await cluster.addNode({ nodeIds }, { timeoutMs: CALL_TIMEOUT_MS });
  });
}

async function removeNodes(cluster: ClusterClient, nodeIds: string[]): Promise<void> {
  await insist(STEP_TIMEOUT_MS, async () => {
    const { nodes } = await clusterNow(cluster);
    if (!nodeIds.some((id) => nodes.some((node) => node.id === id))) return;
    await cluster.removeNode({ nodeIds }, { timeoutMs: CALL_TIMEOUT_MS });
  });
}

async function transfer(cluster: ClusterClient, nodeId: string): Promise<void> {
  await insist(STEP_TIMEOUT_MS, () =>
    cluster.transferLeadership({ nodeId }, { timeoutMs: CALL_TIMEOUT_MS }),
  );
}
