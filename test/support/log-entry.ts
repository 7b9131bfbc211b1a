// Log entries for tests, distinguishable by index and term. Free of jest: for programs too.

import { type Entry, EntryKind } from "../../raft/message.ts";

export function entry(index: number, term: number, text = `entry ${index} of ${term}`): Entry {
  return { index, term, kind: EntryKind.Command, data: Buffer.from(text), traceparent: "" };
}

export function entries(from: number, to: number, term: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, offset) => entry(from + offset, term));
}

/** Entries as comparable values: an adapter may hand data up as any kind of Uint8Array. */
export function plain(list: readonly Entry[]): object[] {
  return list.map((one) => ({ ...one, data: Buffer.from(one.data).toString("base64") }));
}
