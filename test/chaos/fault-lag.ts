// A follower that was away for so long that the log it needs is gone: it takes over the leader's
// snapshot in place of a log, and of a snapshot, of its own.

import { setTimeout as delay } from "node:timers/promises";
import { clusterNow, insist } from "./cluster.ts";
import { clusterOf, type Fault, nodeOfRank } from "./fault.ts";

const LOOK_EVERY_MS = 2_000;
/** Under the load of a run, the tail that the leader keeps has passed by then. */
const AWAY_MS_MAX = 40_000;

export const lagBehindLog: Fault = {
  name: "lag behind log",
  holdMs: 0,
  strike: async (world) => {
    const cluster = clusterOf(world);
    const victim = await nodeOfRank(world, "follower");
    const pid = world.parts.signal(victim, "SIGSTOP");
    const untilMs = performance.now() + AWAY_MS_MAX;
    let isBehind = false;
    try {
      while (!isBehind && performance.now() < untilMs) {
        await delay(LOOK_EVERY_MS);
        // Nodes with large ledgers take snapshots more seldom.
        await insist(AWAY_MS_MAX, () => cluster.takeSnapshot({}, { timeoutMs: 20_000 }));
        const { nodes, firstLogIndex } = await clusterNow(cluster);
        const matchIndex = nodes.find(({ id }) => id === victim)?.matchIndex ?? 0;
        isBehind = firstLogIndex > matchIndex + 1;
      }
    } catch (error) {
      process.kill(pid, "SIGCONT");
      throw error;
    }
    return {
      victim: `${victim}${isBehind ? "" : ", still within the log"}`,
      heal: async () => {
        process.kill(pid, "SIGCONT");
      },
    };
  },
};
