// A delivery: one dispatch of a job, as BullMQ names it, and the keys of a queue.
//
// Guarantees: a delivery has one name and one key, and a name that was read is one that would be
// written; of a key that is neither a delivery's nor one of BullMQ's own, nothing is believed.
// Does not own: what is kept under these keys (BullMQ).

import { queuePrefix } from "./connection.ts";

export interface DeliveryRef {
  readonly queue: string;
  readonly jobId: string;
  readonly dispatch: number;
}

/** BullMQ's keys of a queue that hold deliveries, and the others. */
export const HOLDING = ["prioritized", "delayed", "wait", "active"] as const;
export const ABOUT = ["stalled", "stalled-check", "marker", "id", "pc", "meta", "events"] as const;
const WORDS: ReadonlySet<string> = new Set([...HOLDING, ...ABOUT]);

const NAME = /^(j-[1-9][0-9]*(?:-[1-9][0-9]*)?)(?:\.([1-9][0-9]{0,15}))?$/;

/** BullMQ refuses ids that are all digits or contain a colon; ours never do. */
export function bullJobId(jobId: string, dispatch: number): string {
  return dispatch <= 1 ? jobId : `${jobId}.${dispatch}`;
}

/** What comes before BullMQ's own words, and before the names of a queue's deliveries. */
export function queueKeyBase(cluster: string, queue: string): string {
  return `${queuePrefix(cluster)}:${queue}:`;
}

export function deliveryKey(cluster: string, { queue, jobId, dispatch }: DeliveryRef): string {
  return queueKeyBase(cluster, queue) + bullJobId(jobId, dispatch);
}

/** What a key of ours belongs to. */
export interface KeyOwner {
  readonly queue: string;
  /** null: to the queue as a whole. */
  readonly delivery: DeliveryRef | null;
}

/** null: another key, of a stranger, or one that ends by itself. */
export function ownerOfKey(cluster: string, key: string): KeyOwner | null {
  const prefix = `${queuePrefix(cluster)}:`;
  const colon = key.indexOf(":", prefix.length);
  if (!key.startsWith(prefix) || colon === -1) return null;
  const queue = key.slice(prefix.length, colon);
  const word = key.slice(colon + 1);
  if (WORDS.has(word)) return { queue, delivery: null };
  const [, jobId = "", dispatchText = "1"] = NAME.exec(word) ?? [];
  const delivery = { queue, jobId, dispatch: Number(dispatchText) };
  return deliveryKey(cluster, delivery) === key ? { queue, delivery } : null;
}
