// What followers say of their logs.
//
// Guarantees: I9 an acknowledged index is durable when the ack leaves, in the acknowledged term,
// and the follower's entry there is the leader's. I23 nothing is said after a disk error.

import type { Message, NodeId } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Store } from "../store.ts";
import { demand } from "../violation.ts";

export class AckCheck {
  readonly #lifeOf: (id: NodeId) => Life | null;

  constructor(lifeOf: (id: NodeId) => Life | null) {
    this.#lifeOf = lifeOf;
  }

  released(life: Life, store: Store, to: NodeId, message: Message): void {
    demand(!life.record.isPoisoned, "I23 poisoned-speaks", `${life.id}: ${message.kind}`);
    if (message.kind !== "append-entries-result" || !message.success) return;
    const { matchIndex, term } = message;
    if (matchIndex === 0) return;
    const snapshotIndex = store.snapshot?.snapshot.index ?? 0;
    const isThere = matchIndex <= store.lastIndex || matchIndex <= snapshotIndex;
    const isDurable = isThere && store.hardState.currentTerm >= term;
    demand(isDurable, "I9 ack-durable", () => {
      return `${life.id} acknowledges ${matchIndex} in term ${term}, has ${store.lastIndex}`;
    });
    const leader = this.#lifeOf(to)?.node;
    if (leader?.role !== "leader" || leader.currentTerm !== term) return;
    const own = store.termAt(matchIndex);
    const its = leader.log.termAt(matchIndex);
    const isProved = own === its || own === null || its === null;
    demand(isProved, "I9 ack-proved", `${life.id} acknowledges ${matchIndex}/${own}, not /${its}`);
  }
}
