// Planted bugs of forgetting: which jobs go, and what their idempotency keys answer afterwards.

import type { Mutant } from "../mutant.ts";

const RETENTION = "ledger/retention.ts";

const FORGOTTEN = "I34 forgetting";
const KEYS = "I35 keys";
const COUNTS = "I36 counts";
const WRONG = ["I17 ledger", "AssertionError", "Error"];
const DIFFERS = ["I5 state-machine", "I19 snapshot-restores"];

export const RETENTION_MUTANTS: readonly Mutant[] = [
  {
    name: "child-before-its-parent",
    lesson: "retention",
    breaks: "a child is forgotten while its parent may be run anew and read its result",
    edits: [
      {
        file: RETENTION,
        find: "return isOver && (job.parentPosition === 0 || !ledger.jobs.has(job.parentJobId));",
        replace: "return isOver;",
      },
    ],
    caughtBy: [FORGOTTEN, ...WRONG],
  },
  {
    name: "forgotten-while-its-handler-runs",
    lesson: "§3",
    breaks: "a cancelled job is forgotten, and with it that its handler holds its lock keys",
    edits: [
      {
        file: RETENTION,
        find: "const isOver = isTerminal(job.state) && job.keysUntilMs === 0;",
        replace: "const isOver = isTerminal(job.state);",
      },
    ],
    caughtBy: [FORGOTTEN, ...WRONG],
  },
  {
    name: "too-many-spares-nobody",
    lesson: "retention",
    breaks: "when there are too many, also those go that ended this very moment",
    edits: [
      {
        file: RETENTION,
        find: "ledger.ended.size > rule.keptMax && first.rank < rule.spareBeforeMs;",
        replace: "ledger.ended.size > rule.keptMax;",
      },
    ],
    caughtBy: [FORGOTTEN],
  },
  {
    name: "age-counted-from-the-submission",
    lesson: "retention",
    breaks: "a job that waited for long is forgotten as soon as it has ended",
    edits: [
      {
        file: RETENTION,
        find: "ledger.ended.set(job, job.endMs);",
        replace: "ledger.ended.set(job, job.createdMs);",
      },
    ],
    caughtBy: [FORGOTTEN],
  },
  {
    name: "key-goes-with-its-job",
    lesson: "I15",
    breaks: "a repeat of a forgotten submission is a job of its own",
    edits: [
      {
        file: RETENTION,
        find: 'const keepsKey = job.idempotencyKey !== "" && untilMs > ledger.clockMs;',
        replace: "const keepsKey = untilMs < 0;",
      },
    ],
    caughtBy: [KEYS, "linearizability violated"],
  },
  {
    name: "key-kept-from-its-forgetting",
    lesson: "retention",
    breaks: "a key is kept for its time from when its job was forgotten, not from its end",
    edits: [
      {
        file: RETENTION,
        find: "plusMs(job.endMs, keyMs)",
        replace: "plusMs(ledger.clockMs, keyMs)",
      },
    ],
    caughtBy: [KEYS],
  },
  {
    name: "forgotten-key-answers-anybody",
    lesson: "I15",
    breaks: "another job under the key of a forgotten one is answered as its repeat",
    edits: [
      {
        file: "ledger/repeat.ts",
        find: "  if (fingerprintOf(askedMembers(families, places)) !== first.fingerprint) return null;\n",
        replace: "",
      },
    ],
    caughtBy: [KEYS, "linearizability violated"],
    seedsMax: 1000,
  },
  {
    name: "forgotten-members-lost",
    lesson: "I15",
    breaks: "a repeat of a forgotten family is answered with its parent's id for all members",
    edits: [
      {
        file: RETENTION,
        find: "members: family.slice(1).map(({ position }) => position),",
        replace: "members: family.slice(1).map(() => job.position),",
      },
    ],
    caughtBy: [KEYS],
    seedsMax: 1000,
  },
  {
    name: "forgotten-still-counted",
    lesson: "I17",
    breaks: "the counts of a queue still have the jobs that were forgotten",
    edits: [{ file: RETENTION, find: "  countOut(queueOf(ledger, job), job);\n", replace: "" }],
    caughtBy: [COUNTS, ...WRONG, ...DIFFERS],
  },
  {
    name: "retried-job-forgotten",
    lesson: "I17",
    breaks: "a job that is run anew stays in the order of those that may be forgotten",
    edits: [
      { file: RETENTION, find: "  else ledger.ended.remove(job);\n", replace: "" },
      {
        file: RETENTION,
        find: "  assert(isForgettable(ledger, job),",
        replace: "  assert(job.number >= 0,",
      },
    ],
    caughtBy: [FORGOTTEN, COUNTS, ...WRONG],
  },
  {
    name: "forgotten-keys-reordered-by-the-snapshot",
    lesson: "L41",
    breaks: "a snapshot has the keys of forgotten jobs in another order than the one they go in",
    edits: [
      {
        file: "ledger/snapshot.ts",
        find: "  for (const forgotten of ledger.keys.forgotten()) yield",
        replace: "  for (const forgotten of [...ledger.keys.forgotten()].reverse()) yield",
      },
    ],
    caughtBy: [KEYS, ...DIFFERS],
  },
];
