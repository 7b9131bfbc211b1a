// All that goes wrong in a long run, one row a fault.

import type { Fault } from "./fault.ts";
import { memoryAlarm, stopBroker } from "./fault-broker.ts";
import { fullDisk, slowDisk } from "./fault-disk.ts";
import { killAllNodes, killNode, killPart } from "./fault-kill.ts";
import { lagBehindLog } from "./fault-lag.ts";
import { damageDatabase, damageLog, damageSnapshot, wipe, wipeAndKill } from "./fault-lost-disk.ts";
import {
  growAndShrink,
  growThroughKill,
  replaceLeader,
  transferLeadership,
} from "./fault-membership.ts";
import { together } from "./fault-pair.ts";
import { cutOff, deafen, deleteBoxes } from "./fault-partition.ts";
import { pauseMajority, pauseNode, pausePart } from "./fault-pause.ts";
import { flushRedis } from "./fault-redis.ts";
import { startTwin } from "./fault-twin.ts";

/** What the README's first promise is about: each part killed outright. */
export const KILLS: readonly Fault[] = [
  killNode("leader"),
  killNode("follower"),
  killPart("gateway"),
  killPart("worker"),
  killPart("rabbitmq"),
  killPart("redis"),
];

export const ALL_FAULTS: readonly Fault[] = [
  ...KILLS,
  killAllNodes,
  pauseNode("leader"),
  pauseNode("follower"),
  pauseMajority,
  pausePart("gateway"),
  pausePart("worker"),
  pausePart("rabbitmq"),
  pausePart("redis"),
  stopBroker,
  memoryAlarm,
  deafen("leader", "all"),
  deafen("follower", "all"),
  deafen("follower", "append"),
  deleteBoxes("leader"),
  deleteBoxes("follower"),
  cutOff("leader"),
  cutOff("follower"),
  slowDisk("leader", 100),
  slowDisk("follower", 300),
  lagBehindLog,
  fullDisk("leader"),
  fullDisk("follower"),
  wipe("leader"),
  wipe("follower"),
  wipeAndKill("follower"),
  damageSnapshot("node"),
  damageLog("node"),
  damageDatabase("node"),
  growAndShrink,
  growThroughKill,
  replaceLeader,
  transferLeadership,
  startTwin,
  flushRedis,
  together(wipe("follower"), killNode("leader")),
  together(wipe("follower"), killPart("rabbitmq")),
  together(growAndShrink, killPart("rabbitmq")),
  together(slowDisk("follower", 300), killNode("leader")),
  together(deafen("follower", "all"), pauseNode("leader")),
];
