// Planted bugs of snapshots: taking them, fetching them, taking them over, and what they free.

import type { Mutant } from "../mutant.ts";

const FETCH = "raft/snapshot-fetch.ts";
const SNAPSHOT = "raft/snapshot.ts";

const LIVENESS = ["I22 serves", "I22 equal", "I22 drains", "I22 membership", "I22 leader"];

export const SNAPSHOT_MUTANTS: readonly Mutant[] = [
  {
    name: "suffix-kept-after-install",
    lesson: "L38",
    breaks: "the log behind a snapshot that was taken over stays, though it is another one",
    edits: [
      {
        file: "raft/log.ts",
        find: "    this.#entries = [];\n    this.#offset = index;",
        replace: `    this.#entries = this.#entries.filter((entry) => entry.index > index);
    this.#offset = index;`,
      },
      {
        file: "raft/outbox.ts",
        find: "    draft.truncateFrom = commitIndex + 1;\n",
        replace: "",
      },
    ],
    caughtBy: ["I3 term-falls", "core I3", "I9 ack-proved", "I3 log-matching", "core I15"],
    seedsMax: 2000,
  },
  {
    name: "applied-twice-after-restore",
    lesson: "L39",
    breaks: "entries that were handed over before a snapshot was taken over are applied behind it",
    edits: [
      {
        file: "test/sim/life.ts",
        find: "    this.#toApply = [];\n    this.#restoreFrom",
        replace: "    this.#restoreFrom",
      },
    ],
    caughtBy: ["I5 apply-order", "Error"],
    seedsMax: 2000,
  },
  {
    name: "old-snapshot-taken-over",
    lesson: "L40",
    breaks: "a snapshot that comes late replaces a newer state",
    edits: [
      {
        file: FETCH,
        find: "  if (!takeIfKnown(node, snapshot)) install(node, snapshot);",
        replace: "  install(node, snapshot);",
      },
      {
        file: FETCH,
        find: '  assert(snapshot.index > node.commitIndex, "I13", "an old snapshot", snapshot.index);\n',
        replace: "",
      },
    ],
    caughtBy: ["core I8", "I8 applied-falls", "I8 commit-falls", "core I10"],
    seedsMax: 2000,
  },
  {
    name: "offer-moves-commit-over-another-log",
    lesson: "L38",
    breaks: "an offered snapshot commits what the log has at its index, whatever its term",
    edits: [
      {
        file: FETCH,
        find: "if (index > node.commitIndex && node.log.termAt(index) !== term) return false;",
        replace: "if (index > node.log.lastIndex || term === 0) return false;",
      },
    ],
    caughtBy: ["I5 committed-differs", "core I13"],
    seedsMax: 2000,
  },
  {
    name: "install-leaves-commit-behind",
    lesson: "L39",
    breaks: "a snapshot is taken over and the commit index stays below it",
    edits: [
      {
        file: FETCH,
        find: "  node.commitIndex = snapshot.index;\n",
        replace: "",
      },
    ],
    caughtBy: ["core I10"],
  },
  {
    name: "snapshot-with-uncommitted-members",
    lesson: "L41",
    breaks: "a snapshot has the members of the log's end, not those of its index",
    edits: [
      {
        file: "test/sim/life.ts",
        find: "this.node.membership.at(this.replica.lastApplied);",
        replace: "this.node.configuration;",
      },
    ],
    caughtBy: ["I11 snapshot-configuration"],
  },
  {
    name: "install-keeps-the-old-members",
    lesson: "L41",
    breaks: "who takes a snapshot over does not take its members over",
    edits: [
      {
        file: FETCH,
        find: "  node.membership = new Membership(snapshot, []);",
        replace: `  const { configuration } = node;
  node.membership = new Membership({ ...snapshot, configuration }, []);`,
      },
    ],
    caughtBy: ["I11 configuration"],
  },
  {
    name: "snapshot-index-from-the-ledger",
    lesson: "L42",
    breaks: "a restored node takes the last command for the last entry that it has applied (B3)",
    edits: [
      {
        file: "test/sim/replica.ts",
        find: "    this.lastApplied = snapshot.index;",
        replace: "    this.lastApplied = this.ledger.appliedIndex;",
      },
    ],
    caughtBy: ["I5 apply-order", "I10 snapshot-committed", "core I3", "core I10", "I22 serves"],
  },
  {
    name: "checksum-not-compared",
    lesson: "L30",
    breaks: "a snapshot with a flipped bit is taken over",
    edits: [
      {
        file: "test/sim/disk.ts",
        find: "          crc32(staging.bytes) === snapshot.checksum) ||",
        replace: "          crc32(staging.bytes) !== -1) ||",
      },
    ],
    caughtBy: ["I19 snapshot-restores", "I5 state-machine"],
  },
  {
    name: "compacted-beyond-the-snapshot",
    lesson: "L25",
    breaks: "the log is compacted up to what is applied, which the snapshot does not hold",
    edits: [
      {
        file: SNAPSHOT,
        find: "  log.compactTo(compactTo);",
        replace: "  log.compactTo(Math.max(compactTo, node.lastApplied));",
      },
    ],
    caughtBy: ["core I10", "I10 compacted-without-snapshot"],
  },
  {
    name: "snapshot-whole-one-chunk-early",
    lesson: "L39",
    breaks: "a snapshot is checked when its last chunk is still missing",
    edits: [
      {
        file: FETCH,
        find: "  if (staged.size === Math.ceil(snapshot.bytes / snapshotChunkBytes)) {",
        replace: "  if (staged.size >= Math.ceil(snapshot.bytes / snapshotChunkBytes) - 1) {",
      },
    ],
    caughtBy: LIVENESS,
  },
  {
    name: "lost-chunk-never-asked-again",
    lesson: "L62",
    breaks: "a chunk that got lost is not asked for again",
    edits: [
      {
        file: FETCH,
        find: "    if (node.nowMs - askedMs >= overdueMs) ask(node, fetch, chunk);",
        replace: "    if (node.nowMs - askedMs >= 1e9 * overdueMs) ask(node, fetch, chunk);",
      },
    ],
    caughtBy: LIVENESS,
  },
  {
    name: "lost-offer-never-repeated",
    lesson: "L62",
    breaks: "a peer that missed the offer of a snapshot is not told again",
    edits: [
      {
        file: SNAPSHOT,
        find: "  if (isSilent) offerSnapshot(node, peer, progress);",
        replace: "  if (isSilent && node.nowMs < 0) offerSnapshot(node, peer, progress);",
      },
    ],
    caughtBy: LIVENESS,
  },
  {
    name: "gone-snapshot-offered",
    lesson: "L62",
    breaks: "a leader believes that it still has every snapshot that it ever offered",
    edits: [
      {
        file: SNAPSHOT,
        find: "  return [snapshot, formerSnapshot].some((one) => one?.index === index && one.term === term);",
        replace: "  return index >= 0 && term >= 0 && (snapshot ?? formerSnapshot) !== null;",
      },
    ],
    caughtBy: [...LIVENESS, "I22 ends"],
    seedsMax: 2000,
  },
];
