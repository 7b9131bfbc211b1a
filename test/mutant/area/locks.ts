// Planted bugs of the lines for lock keys, and of locks outside jobs.

import type { Mutant } from "../mutant.ts";

const LIFE = "ledger/lock-life.ts";
const WRONG = ["I17 ledger", "Error"];
const DIFFERS = ["I5 state-machine", "I19 snapshot-restores"];

export const LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: "lock-granted-under-its-requests-index",
    lesson: "I16",
    breaks:
      "a lock's token is the entry that asked for it: one that waited has a lower one than the holder before",
    edits: [
      {
        file: LIFE,
        find: "  lock.token = index;",
        replace: "  lock.token = Math.min(index, lock.number);",
      },
    ],
    caughtBy: WRONG,
  },
  {
    name: "waiting-lock-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a snapshot has the locks that are held, not those that wait",
    edits: [
      {
        file: "ledger/snapshot.ts",
        find: 'if (lock.state !== "over") yield',
        replace: 'if (lock.state === "held") yield',
      },
    ],
    caughtBy: [...DIFFERS, ...WRONG],
  },
  {
    name: "lock-of-the-past-kept-alive",
    lesson: "I16",
    breaks: "a renewal that comes too late brings a lock back that another has by now",
    edits: [
      {
        file: "ledger/lock-command.ts",
        find: 'return lock.state === "held" && lock.token === token;',
        replace: 'return lock.state !== "waiting" && token > 0 && lock.token === token;',
      },
    ],
    caughtBy: [...WRONG, ...DIFFERS],
  },
  {
    name: "line-overtaken",
    lesson: "§3",
    breaks:
      "a key that is free is given to whoever comes, though an earlier one waits for it and another",
    edits: [
      {
        file: "ledger/line.ts",
        find: "return first !== null && first.item !== one &&",
        replace: "return first !== null && first.rank < 0 && first.item !== one &&",
      },
    ],
    caughtBy: [...WRONG, ...DIFFERS],
  },
];
