// Reads that wait.
//
// Guarantees: I30 after a tick of a node that does not lead, no read of its own is older than the
// shortest election timeout: what got lost on the way to its leader is refused, so that the reader
// can ask elsewhere.

import type { Effect } from "../../../raft/effect.ts";
import type { Input, RequestId } from "../../../raft/input.ts";
import type { Life } from "../life.ts";
import { demand } from "../violation.ts";

export class PatienceCheck {
  /** When each was asked, oldest first, by the node's own clock. */
  readonly #open = new WeakMap<Life, Map<RequestId, number>>();

  stepped(life: Life, input: Input, effects: readonly Effect[]): void {
    const open = this.#open.get(life) ?? new Map<RequestId, number>();
    this.#open.set(life, open);
    if (input.kind === "read") open.set(input.requestId, input.nowMs);
    for (const effect of effects) {
      if (effect.kind === "read-ready" || effect.kind === "refused") open.delete(effect.requestId);
    }
    if (input.kind !== "tick" || life.node.role === "leader") return;
    const [oldest] = open;
    if (oldest === undefined) return;
    const [requestId, askedMs] = oldest;
    const { min } = life.node.options.electionTimeoutMs;
    const isFresh = input.nowMs - askedMs < min;
    demand(isFresh, "I30 read-refused", `${life.id} keeps read ${requestId} for ${min} ms`);
  }
}
