// Planted bugs of the disk: what is said before it is durable, and what is made of a bad disk.
//
// Where the product's part is the driver or the log store, the simulator's own host does its duty
// and is broken here: that shows that the checks would notice.

import type { Mutant } from "../mutant.ts";

const OUTBOX = "raft/outbox.ts";
const DISK = "test/sim/disk.ts";
const HOST = "test/sim/host.ts";

export const DISK_MUTANTS: readonly Mutant[] = [
  {
    name: "ack-before-durable",
    lesson: "L29",
    breaks: "entries are acknowledged before they are on the disk",
    edits: [
      {
        file: "raft/append.ts",
        find: "node.outbox.send(leader, ack, node.outbox.afterEntries(matchIndex));",
        replace: "node.outbox.send(leader, ack, node.outbox.afterHardState());",
      },
    ],
    caughtBy: ["I9 ack-durable", "I9 ack-proved"],
  },
  {
    name: "ack-before-its-term",
    lesson: "L33",
    breaks: "entries that are durable are acknowledged in a term that is not",
    edits: [
      {
        file: OUTBOX,
        find: "if (index <= this.#durableIndex) return this.afterHardState();",
        replace: "if (index <= this.#durableIndex) return 0;",
      },
    ],
    caughtBy: ["I9 term-durable", "I9 ack-durable"],
  },
  {
    name: "write-under-way-outlives-truncation",
    lesson: "L18",
    breaks: "a write that is done proves entries that were cut off meanwhile (ABA)",
    edits: [
      {
        file: OUTBOX,
        find: "    for (const write of this.#pending) write.lastIndex = Math.min(write.lastIndex, lastIndex);\n",
        replace: "",
      },
    ],
    caughtBy: ["core I15", "I9 ack-durable", "I9 ack-proved", "I6 committed-durable"],
    seedsMax: 2000,
  },
  {
    name: "durable-index-outlives-truncation",
    lesson: "L18",
    breaks: "the durable index stays where it was when the entries below it are cut off",
    edits: [
      {
        file: OUTBOX,
        find: "    this.#durableIndex = Math.min(this.#durableIndex, lastIndex);\n",
        replace: "",
      },
    ],
    caughtBy: ["core I15", "I9 ack-durable", "I9 ack-proved", "I6 committed-durable"],
  },
  {
    name: "one-write-proves-all",
    lesson: "L18",
    breaks: "the first write that is done counts for all that are under way",
    edits: [
      {
        file: OUTBOX,
        find: "while (write !== undefined && write.writeId <= writeId) {",
        replace: "while (write !== undefined) {",
      },
    ],
    caughtBy: ["I9 ack-durable", "I6 committed-durable", "I9 ack-proved", "I9 term-durable"],
  },
  {
    name: "install-acked-by-the-old-log",
    lesson: "L39",
    breaks: "while a snapshot is taken over, the old log still counts as durable",
    edits: [
      {
        file: OUTBOX,
        find: "    this.#cutOff(commitIndex);\n",
        replace: "    this.#cutOff(Math.max(commitIndex, snapshot.index));\n",
      },
    ],
    caughtBy: ["I9 ack-durable", "I9 ack-proved", "core I15"],
    seedsMax: 2000,
  },
  {
    name: "message-leaves-one-write-early",
    lesson: "L1",
    breaks: "the driver lets a message go when the write before its own is durable",
    edits: [
      {
        file: "transport/held-sends.ts",
        find: "    if (afterWriteId <= this.#durableWriteId) {",
        replace: "    if (afterWriteId <= this.#durableWriteId + 1) {",
      },
    ],
    caughtBy: ["I9 term-durable", "I9 vote-durable", "I9 ack-durable"],
  },
  {
    name: "poisoned-disk-goes-on-talking",
    lesson: "L28",
    breaks: "a node whose disk has failed lives on",
    edits: [
      {
        file: HOST,
        find: '    this.crashAndRestart("poisoned-disk");\n',
        replace: "",
      },
    ],
    caughtBy: ["I23 poisoned-speaks"],
  },
  {
    name: "failed-write-counts-as-done",
    lesson: "L28",
    breaks: "an error of fsync is overlooked: the write is lost and called durable",
    edits: [
      {
        file: DISK,
        find: `      const listener = this.#listener;
      this.crash();
      listener?.failed();
      return;`,
        replace: `      const lost = this.#pending.shift();
      if (lost !== undefined) this.#listener?.durable(lost.write);
      return;`,
      },
    ],
    caughtBy: [
      "I9 ack-durable",
      "I9 term-durable",
      "I9 vote-durable",
      "I3 hole",
      "I6 committed-durable",
    ],
  },
  {
    name: "damaged-middle-cut-off",
    lesson: "L31",
    breaks: "a log that is damaged in the middle is cut there, as a torn tail may be",
    edits: [
      {
        file: HOST,
        find: "    if (disk.store.isDamaged || disk.store.isLost) this.#replaceStore();",
        replace: `    if (disk.store.isLost) this.#replaceStore();
    if (disk.store.isDamaged) {
      const { snapshot, entries, offset } = disk.store;
      const kept = Math.max(entries.length / 2, (snapshot?.snapshot.index ?? 0) - offset.index);
      entries.splice(Math.ceil(kept));
      disk.store.isDamaged = false;
    }`,
      },
    ],
    caughtBy: ["I28 durable-kept", "I6 committed-durable", "I4 leader-completeness"],
  },
  {
    name: "appended-before-cut",
    lesson: "L32",
    breaks: "a write appends its entries before it cuts off what they replace",
    edits: [
      {
        file: "test/sim/store.ts",
        find: "    if (truncateFrom !== undefined) {",
        replace: `    for (const entry of entries) this.entries.push(entry);
    if (truncateFrom !== undefined) {`,
      },
      {
        file: "test/sim/store.ts",
        find: "    for (const entry of entries) this.entries.push(entry);\n    if (hardState",
        replace: "    if (hardState",
      },
    ],
    caughtBy: ["I9 ack-durable", "I3 hole", "I13 committed-cut"],
  },
  {
    name: "term-written-a-write-late",
    lesson: "L33",
    breaks: "the disk has the entries of a term before the term and the vote",
    edits: [
      {
        file: "test/sim/store.ts",
        find: "    if (hardState !== undefined) this.hardState = hardState;",
        replace: `    if (this.late !== null) this.hardState = this.late;
    this.late = hardState ?? null;`,
      },
      {
        file: "test/sim/store.ts",
        find: "  isLost = false;",
        replace: "  isLost = false;\n  late: HardState | null = null;",
      },
    ],
    caughtBy: ["I9 term-durable", "I9 vote-durable"],
  },
  {
    name: "wiped-disk-under-its-old-id",
    lesson: "L36",
    breaks: "a node that lost its disk comes back as the same member, and votes",
    edits: [
      {
        file: HOST,
        find: "    this.#storeCount += 1;\n",
        replace: "    this.#storeCount = 1;\n",
      },
    ],
    caughtBy: ["I8 term-falls", "I8 vote-forgotten", "I8 one-vote", "I4 leader-completeness"],
  },
];
