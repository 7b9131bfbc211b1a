// What nodes do to their logs, and what their disks then hold.
//
// Guarantees: I2 a leader never cuts its log; I3 log matching; I10 the log is compacted only behind
// a snapshot; I13 nothing committed is cut off, on any disk; a snapshot holds committed entries
// only, and the configuration that was committed with them.

import type { Entry, Snapshot } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import type { Persist, Store } from "../store.ts";
import { demand } from "../violation.ts";
import type { CommittedHistory } from "./committed-history.ts";
import { isSameConfiguration, textOf } from "./configuration-record.ts";
import { EntryRegistry } from "./entry-registry.ts";

export class LogCheck {
  readonly registry = new EntryRegistry();
  readonly #sim: Sim;
  readonly #history: CommittedHistory;

  constructor(sim: Sim, history: CommittedHistory) {
    this.#sim = sim;
    this.#history = history;
  }

  persistAsked({ id, node }: Life, write: Persist): void {
    const { truncateFrom, snapshot, entries } = write;
    const isCut = truncateFrom !== undefined;
    demand(!isCut || node.role !== "leader", "I2 leader-append-only", `${id} cuts its log`);
    if (snapshot !== undefined) this.#checkSnapshot(id, snapshot);
    for (const entry of entries) {
      this.registry.note(entry, node.log.termAt(entry.index - 1), () => id);
    }
  }

  #checkSnapshot(id: string, { index, term, configuration }: Snapshot): void {
    if (index === 0) {
      this.#history.found(configuration);
      return;
    }
    const committed = this.#history.termAt(index);
    demand(committed === term, "I10 snapshot-committed", () => {
      return `${id}'s snapshot at ${index}/${term}, committed is ${committed}`;
    });
    const expected = this.#history.configurationAt(index);
    const isRight = expected !== undefined && isSameConfiguration(expected, configuration);
    demand(isRight, "I11 snapshot-configuration", () => {
      const right = expected === undefined ? "none" : textOf(expected);
      return `${id}'s snapshot at ${index} says ${textOf(configuration)}, committed is ${right}`;
    });
  }

  /** The write is durable. */
  written(store: Store, write: Persist, cut: readonly Entry[], compacted: readonly Entry[]): void {
    const { snapshot, offset } = store;
    const snapshotIndex = snapshot?.snapshot.index ?? 0;
    for (const entry of cut) {
      // What a snapshot that is taken over stands for may go.
      const isLost = this.#history.termAt(entry.index) === entry.term;
      const isCovered = write.snapshot !== undefined && entry.index <= snapshotIndex;
      demand(!isLost || isCovered, "I13 committed-cut", () => {
        return `${store.id} cuts off ${entry.index}/${entry.term}, which is committed`;
      });
    }
    if (write.snapshot !== undefined && cut.some(({ index }) => index > snapshotIndex)) {
      this.#sim.tally.add("sometimes.install-over-a-longer-log");
    }
    if (cut.length > 0) this.#sim.tally.add("count.truncated-entries", cut.length);
    if (compacted.length > 0) this.#sim.tally.add("count.compacted-entries", compacted.length);
    demand(offset.index <= snapshotIndex, "I10 compacted-without-snapshot", () => {
      return `${store.id}'s log begins behind ${offset.index}, its snapshot is of ${snapshotIndex}`;
    });
    const isWhole = store.lastIndex >= snapshotIndex;
    demand(isWhole, "I10 log-before-snapshot", `${store.id}: ${store.lastIndex}, ${snapshotIndex}`);
    const first = store.entries[0];
    const isContiguous = first === undefined || first.index === offset.index + 1;
    demand(isContiguous, "I3 hole", `${store.id}: ${first?.index} behind ${offset.index}`);
    const isRising = first === undefined || first.term >= offset.term;
    demand(isRising, "I3 term-falls", `${store.id}: ${first?.term} behind ${offset.term}`);
    const last = store.entries.at(-1);
    const isEnd = last === undefined || last.index === store.lastIndex;
    demand(isEnd, "I3 hole", `${store.id}: ${last?.index} as the last of ${store.lastIndex}`);
  }
}
