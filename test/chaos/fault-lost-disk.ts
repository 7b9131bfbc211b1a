// A node's disk lost or damaged: the node comes back blank, under another store id, and the quorum
// takes it in again.
//
// Guarantees: the disk changes while the process stands still, so that no write comes in between;
// then the process is killed, and what starts again finds the other disk.

import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { clusterNow, storeIdOf } from "./cluster.ts";
import type { Dice } from "./dice.ts";
import { clusterOf, type Fault, nodeOfRank, type Rank, type World, type Wound } from "./fault.ts";

/** From ready to taken in again: hello, change of membership, snapshot. */
const REJOIN_MS = 1_000;

export function wipe(rank: Rank): Fault {
  return {
    name: `wipe ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      return loseDisk(world, victim, (directory) => {
        removeAtOnce(directory);
        return "";
      });
    },
  };
}

/** And killed once more while it is being taken in again. */
export function wipeAndKill(rank: Rank): Fault {
  return {
    name: `wipe and kill ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const { parts } = world;
      const victim = await nodeOfRank(world, rank);
      const pid = parts.pidOf(victim);
      const wound = await loseDisk(world, victim, (directory) => {
        removeAtOnce(directory);
        return "";
      });
      return {
        ...wound,
        heal: async () => {
          await parts.restarted(victim, pid);
          await delay(world.dice.below(REJOIN_MS));
          await parts.restarted(victim, parts.signal(victim, "SIGKILL"));
        },
      };
    },
  };
}

/** One bit of the newest snapshot, which every start reads whole. */
export function damageSnapshot(rank: Rank): Fault {
  return {
    name: `damage snapshot ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      return loseDisk(world, victim, (directory) => {
        const name = newestSnapshot(directory);
        return `, bit flipped in ${name} at ${flipBit(join(directory, name), 0, null, world.dice)}`;
      });
    },
  };
}

/** One bit of SQLite's write-ahead log, with whole transactions behind it that must not be lost. */
export function damageLog(rank: Rank): Fault {
  return {
    name: `damage log ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      return loseDisk(world, victim, (directory) => {
        const path = join(directory, "raft.sqlite-wal");
        const to = endOfSettled(readFileSync(path));
        return `, bit flipped in ${basename(path)} at ${flipBit(path, 0, to, world.dice)}`;
      });
    },
  };
}

/**
 * One bit of the database behind its header. It may be one that nobody reads, so the node may come
 * back as it was; that it has not changed anything is for the comparison of ledgers to say.
 */
export function damageDatabase(rank: Rank): Fault {
  return {
    name: `damage database ${rank}`,
    holdMs: 0,
    strike: async (world) => {
      const victim = await nodeOfRank(world, rank);
      const damage = (directory: string): string => {
        const at = flipBit(join(directory, "raft.sqlite"), 100, null, world.dice);
        return `, bit flipped in raft.sqlite at ${at}`;
      };
      const { isOver: _mayBeUnread, ...wound } = await loseDisk(world, victim, damage);
      return wound;
    },
  };
}

/** The directory goes in one step. */
export function removeAtOnce(directory: string): void {
  const grave = `${directory}.wiped`;
  rmSync(grave, { recursive: true, force: true });
  renameSync(directory, grave);
  rmSync(grave, { recursive: true });
}

/** `change` says what it did. */
async function loseDisk(
  world: World,
  victim: string,
  change: (directory: string) => string,
): Promise<Wound> {
  const { parts } = world;
  const storeId = storeIdOf(await clusterNow(clusterOf(world)), victim);
  const pid = parts.signal(victim, "SIGSTOP");
  let what = "";
  try {
    what = change(parts.nodeDir(victim));
  } finally {
    process.kill(pid, "SIGKILL");
  }
  return {
    victim: `${victim}${what}`,
    heal: () => parts.restarted(victim, pid),
    isOver: (view) => storeIdOf(view, victim) !== storeId,
  };
}

function newestSnapshot(directory: string): string {
  const indexOf = (name: string): number => Number(name.split("-")[1]);
  const names = readdirSync(directory).filter((name) => /^snapshot-.*\.bin$/.test(name));
  const newest = names.sort((a, b) => indexOf(a) - indexOf(b)).at(-1);
  if (newest === undefined) throw new Error(`no snapshot in ${directory}`);
  return newest;
}

/**
 * Where the part of a write-ahead log ends that has at least three transactions behind it: what
 * looks like a torn last one may be forgotten (wal-check.ts). Throws when there are not so many.
 * Format: https://www.sqlite.org/fileformat2.html#walformat
 */
function endOfSettled(wal: Buffer): number {
  const frameBytes = 24 + wal.readUInt32BE(8);
  const salt = wal.subarray(16, 24);
  const commits: number[] = [];
  for (let at = 32; at + frameBytes <= wal.length; at += frameBytes) {
    // What an earlier use of the file left.
    if (!wal.subarray(at + 8, at + 16).equals(salt)) break;
    if (wal.readUInt32BE(at + 4) !== 0) commits.push(at + frameBytes);
  }
  const end = commits.at(-4);
  if (end === undefined) throw new Error(`a log of only ${commits.length} transactions`);
  return end;
}

/** Somewhere in [from, to), `to` null: the end of the file. Returns the byte's place. */
function flipBit(path: string, from: number, to: number | null, dice: Dice): number {
  const file = openSync(path, "r+");
  try {
    const end = to ?? fstatSync(file).size;
    const at = from + dice.below(end - from);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << dice.below(8));
    writeSync(file, byte, 0, 1, at);
    return at;
  } finally {
    closeSync(file);
  }
}
