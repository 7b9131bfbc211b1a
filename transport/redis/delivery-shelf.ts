// The deliveries that BullMQ holds: looked through piece by piece, and taken out in bulk.
//
// Guarantees: the walk is Redis's SCAN over the keys of all our queues, known or not: it never
// stops Redis, finds whatever is there from its beginning to its end, and some of it twice. Taking
// out is of one dispatch of a job and no other, in scripts of at most SCRIPT_MAX deliveries.
// Does not own: which of them are over (the ledger; workers/sweeper.ts), nor adding (job-queue.ts).

import assert from "node:assert";
import type { Redis } from "ioredis";
import { queuePrefix } from "./connection.ts";
import {
  ABOUT,
  bullJobId,
  type DeliveryRef,
  HOLDING,
  ownerOfKey,
  queueKeyBase,
} from "./delivery.ts";
import { REMOVE_DELIVERIES, REMOVE_QUEUE } from "./delivery-script.ts";
import { runScript, script } from "./script.ts";

/** What was found; the walk has ended when the cursor is BEGINNING again. */
export interface ShelfPiece {
  readonly cursor: string;
  readonly deliveries: readonly DeliveryRef[];
  /** Of which there are keys other than those of deliveries. */
  readonly queues: ReadonlySet<string>;
}

export interface Removed {
  /** Of those that are over: waiting, or of a worker that has lost them. */
  readonly over: number;
  /** Of the others: those that nothing in BullMQ leads to. */
  readonly stranded: number;
}

export const BEGINNING = "0";
/** Keys of the whole Redis that one step of the walk looks at. */
const SCAN_COUNT = 1_000;
const SCRIPT_MAX = 250;
/** Of BullMQ's lists: only what workers have taken or lost is in them. */
const LIST_MAX = 1_000;
const REMOVE = script(REMOVE_DELIVERIES);
const CLEAR = script(REMOVE_QUEUE);

export async function lookThrough(
  redis: Redis,
  cluster: string,
  cursor: string,
): Promise<ShelfPiece> {
  const pattern = `${queuePrefix(cluster).replaceAll(/[[\]*?\\^-]/g, "\\$&")}:*`;
  const [next, keys] = await redis.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
  const deliveries: DeliveryRef[] = [];
  const queues = new Set<string>();
  for (const key of keys) {
    const owner = ownerOfKey(cluster, key);
    if (owner?.delivery) deliveries.push(owner.delivery);
    else if (owner !== null) queues.add(owner.queue);
  }
  return { cursor: next, deliveries, queues };
}

/** Removes what is over, and of the others what no worker can get. */
export async function takeOut(
  redis: Redis,
  cluster: string,
  over: readonly DeliveryRef[],
  others: readonly DeliveryRef[] = [],
): Promise<Removed> {
  const all = [
    ...over.map((delivery) => ({ delivery, isOver: true })),
    ...others.map((delivery) => ({ delivery, isOver: false })),
  ];
  const sum = { over: 0, stranded: 0 };
  for (const [queue, group] of Map.groupBy(all, ({ delivery }) => delivery.queue)) {
    for (let from = 0; from < group.length; from += SCRIPT_MAX) {
      const piece = group.slice(from, from + SCRIPT_MAX);
      const base = queueKeyBase(cluster, queue);
      const keys = [...HOLDING, "stalled"].map((word) => base + word);
      const overCount = piece.filter(({ isOver }) => isOver).length;
      const ids = piece.map(({ delivery }) => bullJobId(delivery.jobId, delivery.dispatch));
      const arguments_ = [base, String(LIST_MAX), String(overCount), ...ids];
      const reply = await runScript(redis, REMOVE, keys, arguments_);
      assert(Array.isArray(reply), "the script answers with two counts");
      sum.over += Number(reply[0]);
      sum.stranded += Number(reply[1]);
    }
  }
  return sum;
}

/** Removes all that is kept of these queues; those that hold deliveries stay. */
export async function clearAway(
  redis: Redis,
  cluster: string,
  queues: readonly string[],
): Promise<void> {
  const keysOf = (queue: string): string[] =>
    [...HOLDING, ...ABOUT].map((word) => queueKeyBase(cluster, queue) + word);
  await Promise.all(queues.map((queue) => runScript(redis, CLEAR, keysOf(queue), [])));
}
