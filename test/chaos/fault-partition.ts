// Partitions between a node and the rest, made at its mailboxes.
//
//   deaf           nothing reaches it, and it does not know: it can still speak
//   half deaf      everything but the log reaches it
//   boxes deleted  its mailboxes are gone, and it is told
//   cut off        its connections are closed from the broker's side

import {
  bindMailboxes,
  closeConnections,
  deleteMailboxes,
  type Lanes,
  unbindMailboxes,
} from "../support/mailbox.ts";
import { type Fault, nodeOfRank, type Rank } from "./fault.ts";

/** A leader needs up to two election timeouts to see that nobody answers. */
const DEAF_MS = 5_000;

export function deafen(rank: Rank, lanes: Lanes): Fault {
  return {
    name: lanes === "all" ? `deaf ${rank}` : `half deaf ${rank}`,
    holdMs: DEAF_MS,
    strike: async (world) => {
      const { stack } = world.parts;
      const victim = await nodeOfRank(world, rank);
      await unbindMailboxes(stack, victim, lanes);
      return { victim, heal: () => bindMailboxes(stack, victim) };
    },
  };
}

export function deleteBoxes(rank: Rank): Fault {
  return {
    name: `boxes deleted ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      await deleteMailboxes(world.parts.stack, victim);
      return { victim, heal: () => Promise.resolve() };
    },
  };
}

export function cutOff(rank: Rank): Fault {
  return {
    name: `cut off ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      await closeConnections(world.parts.stack, victim);
      return { victim, heal: () => Promise.resolve() };
    },
  };
}
