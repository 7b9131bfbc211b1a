// The blank nodes that said hello lately: who waits to be added, and by which disk.
//
// Guarantees: one that has stopped saying hello has gone. Does not own: who is a member.

import type { NodeId } from "../raft/message.ts";
import { nameOf } from "./member-id.ts";

/** A blank node says hello several times a second (formation.ts). */
const GONE_MS = 3_000;

export class Joiners {
  /** By name: the disk that was heard of last. */
  #heard = new Map<string, { readonly id: NodeId; readonly heardMs: number }>();

  heard(id: NodeId, nowMs: number): void {
    this.#heard = new Map([...this.#heard].filter(([, { heardMs }]) => isHere(heardMs, nowMs)));
    this.#heard.set(nameOf(id), { id, heardMs: nowMs });
  }

  idOf(name: string, nowMs: number): NodeId | null {
    const joiner = this.#heard.get(name);
    return joiner !== undefined && isHere(joiner.heardMs, nowMs) ? joiner.id : null;
  }

  ids(nowMs: number): NodeId[] {
    return [...this.#heard.values()]
      .filter(({ heardMs }) => isHere(heardMs, nowMs))
      .map(({ id }) => id);
  }
}

function isHere(heardMs: number, nowMs: number): boolean {
  return nowMs - heardMs <= GONE_MS;
}
