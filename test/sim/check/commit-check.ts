// What nodes call committed.
//
// Guarantees: I6 what the first one commits is durable on a quorum of the configuration in force,
// lost disks counted as they were (a promise does not end with its disk); I7 a leader commits an
// entry of its own term; I8 no commit index falls in a life; I5 all commit the same.

import type { Configuration } from "../../../raft/configuration.ts";
import type { LogIndex, NodeId } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import type { Store } from "../store.ts";
import { demand } from "../violation.ts";
import type { CommittedHistory } from "./committed-history.ts";
import { isQuorum, textOf } from "./configuration-record.ts";

export class CommitCheck {
  readonly #sim: Sim;
  readonly #history: CommittedHistory;
  readonly #stores: ReadonlyMap<NodeId, Store>;

  constructor(sim: Sim, history: CommittedHistory, stores: ReadonlyMap<NodeId, Store>) {
    this.#sim = sim;
    this.#history = history;
    this.#stores = stores;
  }

  /** `current` was in force when the step began: a leader appends only behind what it commits. */
  moved(life: Life, current: Configuration): void {
    const { id, node, record: seen } = life;
    const { commitIndex: to, log } = node;
    const from = seen.commitIndex;
    demand(to > from, "I8 commit-falls", `${id}: ${from} to ${to}`);
    seen.commitIndex = to;
    // One that has removed itself commits that and retires in one step.
    const isLeader = node.role === "leader" || seen.electedTerm === node.currentTerm;
    const isOwn = !isLeader || log.termAt(to) === node.currentTerm;
    demand(isOwn, "I7 own-term-commit", `${id} commits ${to} in term ${node.currentTerm}`);
    const known = this.#history.length;
    if (to > known) {
      demand(isLeader, "I6 commit-ahead", `${id} follows, and commits ${to} before any leader`);
      this.#checkDurable(life, current, to);
      this.#add(life, known, to);
    }
    // The entry at the end names all before it.
    const checked = Math.min(to, known);
    const term = log.termAt(checked);
    const isSame = term === null || term === this.#history.termAt(checked);
    demand(isSame, "I5 committed-differs", `${id} commits ${checked}/${term}`);
  }

  #checkDurable({ id, node }: Life, current: Configuration, to: LogIndex): void {
    const term = node.currentTerm;
    const holds = (voter: NodeId): boolean => this.#stores.get(voter)?.holds(to, term) ?? false;
    demand(isQuorum(current, holds), "I6 committed-durable", () => {
      const holders = [...current.voters, ...current.outgoing].filter(holds);
      return `${id} commits ${to}/${term} of ${textOf(current)}, durable at ${holders.join(" ")}`;
    });
  }

  #add({ id, node }: Life, known: LogIndex, to: LogIndex): void {
    const { log } = node;
    const isThere = log.offset.index <= known;
    demand(isThere, "I10 applied-before-commit", `${id} compacted ${known + 1} uncommitted`);
    for (const entry of log.range(known + 1, to + 1)) {
      this.#history.add(entry, node.currentTerm);
    }
    this.#sim.tally.add("count.committed", to - known);
  }
}
