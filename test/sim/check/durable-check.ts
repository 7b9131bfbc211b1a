// What a disk had is still there when it is opened again.
//
// Guarantees: I28 a member that starts finds the log, term and vote that its last write left: what
// is damaged is not cut away in silence. Does not own: what is in a write (log-check.ts).

import type { LogIndex, NodeId, Term } from "../../../raft/message.ts";
import type { Store } from "../store.ts";
import { demand } from "../violation.ts";

interface Left {
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
}

export class DurableCheck {
  readonly #left = new Map<NodeId, Left>();

  written(store: Store): void {
    this.#left.set(store.id, leftBy(store));
  }

  started(store: Store): void {
    const left = this.#left.get(store.id);
    if (left === undefined) return;
    const found = leftBy(store);
    const isSame =
      found.lastIndex === left.lastIndex &&
      found.lastTerm === left.lastTerm &&
      found.currentTerm === left.currentTerm &&
      found.votedFor === left.votedFor;
    demand(isSame, "I28 durable-kept", () => {
      return `${store.id} had ${JSON.stringify(left)}, has ${JSON.stringify(found)}`;
    });
  }
}

function leftBy(store: Store): Left {
  const { lastIndex, hardState } = store;
  return { lastIndex, lastTerm: store.termAt(lastIndex) ?? 0, ...hardState };
}
