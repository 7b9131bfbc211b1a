// Planted bugs of queues: pauses, limits, the lines before them, and drains.

import type { Mutant } from "../mutant.ts";

const ADMISSION = "ledger/admission.ts";
const PARK = "ledger/park.ts";
const RATE = "ledger/queue-rate.ts";
const SET = "ledger/set-queue.ts";
const WAKE = "ledger/wake.ts";

const LIMIT = "I31 limits-held";
const DRAIN = "I32 drain";
const HELD = "I33 held-back";
const WRONG = ["I17 ledger", "AssertionError", "Error"];
const DIFFERS = ["I5 state-machine", "I19 snapshot-restores"];

export const QUEUE_MUTANTS: readonly Mutant[] = [
  {
    name: "start-asks-no-limit",
    lesson: "queues",
    breaks: "a job that was before the workers when the limit came down starts beyond it",
    edits: [
      {
        file: "ledger/attempt.ts",
        find: 'return limitAtStart(ledger, job) === "" ? null : LIMITED;',
        replace: "return null;",
      },
    ],
    caughtBy: [LIMIT],
  },
  {
    name: "one-more-than-may-run",
    lesson: "queues",
    breaks: "a start is refused beyond the limit of a queue, not at it",
    edits: [
      {
        file: ADMISSION,
        find: "(runningMax > 0 && queue.byState.running >= runningMax) ||",
        replace: "(runningMax > 0 && queue.byState.running > runningMax) ||",
      },
    ],
    caughtBy: [LIMIT],
  },
  {
    name: "pause-of-all-only-at-arrival",
    lesson: "queues",
    breaks: "a pause of all queues does not stop jobs that are before the workers already",
    edits: [
      {
        file: ADMISSION,
        find: "    isPaused(ledger, queue) ||\n",
        replace: "    queue.isPaused ||\n",
      },
    ],
    caughtBy: [LIMIT],
  },
  {
    name: "rate-forgets-the-first-start",
    lesson: "queues",
    breaks: "a queue remembers one start less than its rate allows, so that one more fits",
    edits: [
      {
        file: RATE,
        find: "if (recentStarts.length > limits.rateCount) recentStarts.shift();",
        replace: "if (recentStarts.length >= limits.rateCount) recentStarts.shift();",
      },
    ],
    caughtBy: [LIMIT, ...DIFFERS],
  },
  {
    name: "rate-is-a-fresh-start",
    lesson: "queues",
    breaks: "setting a rate again, which clients do that were not answered, forgets the starts",
    edits: [
      {
        file: SET,
        find: "rateCount === 0 ? [] : queue.recentStarts.slice(-rateCount);",
        replace: "[];",
      },
    ],
    caughtBy: [LIMIT, ...DIFFERS],
  },
  {
    name: "backlog-without-the-scheduled",
    lesson: "queues",
    breaks: "the limit of a backlog does not count jobs that wait for their time",
    edits: [
      {
        file: "ledger/submit.ts",
        find: "const waiting = known.waiting.size + known.scheduled.size;",
        replace: "const waiting = known.waiting.size;",
      },
    ],
    caughtBy: [LIMIT],
  },
  {
    name: "cancelled-place-lost",
    lesson: "§3",
    breaks: "the place of a job that is cancelled before it starts wakes nobody",
    edits: [
      {
        file: PARK,
        find: "  if (wasClaiming || wasHeldBack) wakeAfter(turn, job);\n",
        replace: "",
      },
    ],
    caughtBy: [HELD, ...WRONG],
  },
  {
    name: "key-line-not-woken",
    lesson: "§3",
    breaks: "who waits for a concurrency key is not looked at when a job under it ends",
    edits: [
      {
        file: WAKE,
        find: "    for (const { key } of job.concurrencyKeys) wakeKey(turn, key);\n",
        replace: "",
      },
    ],
    caughtBy: [HELD, ...WRONG],
  },
  {
    name: "resume-wakes-nobody",
    lesson: "§3",
    breaks: "a queue that is resumed lets its jobs go on only when something else happens in it",
    edits: [{ file: SET, find: "  wakeQueue(turn, queue);\n", replace: "" }],
    caughtBy: [HELD, ...WRONG],
  },
  {
    name: "room-of-all-for-one-queue",
    lesson: "§3",
    breaks: "with a limit over all queues, room is offered to the queue that left it alone",
    edits: [
      {
        file: WAKE,
        find: "  if (allQueues.runningMax > 0) wakeFirsts(turn);\n  else if (queue.line.size > 0)",
        replace: "  if (allQueues.runningMax >= 0 && queue.line.size > 0)",
      },
    ],
    caughtBy: [HELD, ...WRONG],
  },
  {
    name: "newcomer-before-the-line",
    lesson: "§3",
    breaks: "a job that arrives takes a place for which others wait in line",
    edits: [
      {
        file: ADMISSION,
        find: "(isShort(ledger, queue) || isBehind(queue.line, job));",
        replace: "isShort(ledger, queue);",
      },
    ],
    caughtBy: [HELD, ...WRONG],
    seedsMax: 1000,
  },
  {
    name: "drain-without-an-end",
    lesson: "L48",
    breaks: "the next piece of a drain takes jobs that came after it had begun",
    edits: [
      {
        file: "ledger/drain-queue.ts",
        find: "const untilArrival = drain.untilArrival || ledger.lastArrival;",
        replace: "const untilArrival = ledger.lastArrival;",
      },
    ],
    caughtBy: [DRAIN],
  },
  {
    name: "starts-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a replica that was restored from a snapshot has forgotten the starts of a rate",
    edits: [
      {
        file: "ledger/snapshot.ts",
        find: "recentStarts: [...recentStarts]",
        replace: "recentStarts: []",
      },
    ],
    caughtBy: DIFFERS,
  },
];
