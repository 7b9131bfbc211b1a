// Planted bugs of what happens to a job from outside and in between: retries, deadlines, progress.

import type { Mutant } from "../mutant.ts";

const RETRY = "ledger/retry.ts";
const PROGRESS = "ledger/progress.ts";

const WRONG = ["I17 ledger", "I16 one-result", "I17 terminal-stays", "Error"];
const HISTORY = "linearizability violated";
const DIFFERS = ["I5 state-machine", "I19 snapshot-restores"];

export const RUN_MUTANTS: readonly Mutant[] = [
  {
    name: "retry-done-twice",
    lesson: "L48",
    breaks: "a retry whose answer got lost begins a second run when it is repeated",
    edits: [
      {
        file: RETRY,
        find: 'return requestId !== "" && earlierRuns',
        replace: "return requestId.length > 1e9 && earlierRuns",
      },
    ],
    caughtBy: [HISTORY],
    seedsMax: 2000,
  },
  {
    name: "retry-of-a-success",
    lesson: "I16",
    breaks: "a job that has succeeded may be retried",
    edits: [
      {
        file: RETRY,
        find: "if (state === JobState.Succeeded || !isTerminal(state)) return",
        replace: "if (!isTerminal(state)) return",
      },
    ],
    caughtBy: [...WRONG, HISTORY],
  },
  {
    name: "old-attempts-counted-in-a-new-run",
    lesson: "I17",
    breaks: "a retried job has only the attempts that its earlier runs have left",
    edits: [{ file: RETRY, find: "  job.attemptsUsed = 0;\n", replace: "" }],
    caughtBy: [...WRONG, ...DIFFERS, HISTORY],
  },
  {
    name: "earlier-runs-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a snapshot forgets earlier runs, and with them which retries were done",
    edits: [
      {
        file: "ledger/kept-job.ts",
        find: "    earlierRuns: job.earlierRuns,",
        replace: "    earlierRuns: job.earlierRuns.slice(0, 0),",
      },
    ],
    caughtBy: [...WRONG, ...DIFFERS],
  },
  {
    name: "progress-of-a-former-attempt",
    lesson: "I16",
    breaks: "a fenced-out attempt's progress and lines are put on the record of the job",
    edits: [
      {
        file: PROGRESS,
        find: "      if (isCurrent(job, token)) {",
        replace: "      if (isCurrent(job, token) || job.state === JobState.Running) {",
      },
    ],
    caughtBy: WRONG,
  },
  {
    name: "report-heard-twice",
    lesson: "L48",
    breaks: "a report of progress that arrives twice adds its lines twice",
    edits: [
      {
        file: PROGRESS,
        find: "return attempt !== undefined && wholeMs(sequence) <= attempt.reports;",
        replace: "return attempt !== undefined && wholeMs(sequence) < 0;",
      },
    ],
    caughtBy: WRONG,
    survives: "nothing that the simulator checks counts lines",
    test: "test/unit/ledger/progress.test.ts",
  },
  {
    name: "keys-let-go-by-an-earlier-run",
    lesson: "§3",
    breaks:
      "the late word of an earlier run's handler frees the keys of one that was cut short since",
    edits: [
      {
        file: "ledger/attempt.ts",
        find: "    if (earlier === job.attempts.at(-1)) letGo(turn, job);",
        replace: "    letGo(turn, job);",
      },
    ],
    caughtBy: WRONG,
    survives:
      "it takes two cancellations of one running job, and the first handler's word after the second",
    test: "test/unit/ledger/retry.test.ts",
  },
  {
    name: "deadline-of-the-first-run",
    lesson: "I17",
    breaks: "a retried job has the deadline of its first run",
    edits: [{ file: RETRY, find: "  job.runStartMs = clockMs;\n", replace: "" }],
    caughtBy: WRONG,
    survives: "the simulator's jobs have no deadline",
    test: "test/unit/ledger/retry.test.ts",
  },
  {
    name: "deadline-frees-the-keys",
    lesson: "§3",
    breaks: "the keys of a job whose deadline has passed are free before its handler has stopped",
    edits: [
      {
        file: "ledger/attempt-end.ts",
        find: 'const isCut = end.outcome === "cancelled" || attempt.error === DEADLINE_PASSED;',
        replace: 'const isCut = end.outcome === "cancelled";',
      },
    ],
    caughtBy: WRONG,
    survives: "the simulator's jobs have no deadline",
    test: "test/unit/ledger/deadline.test.ts",
  },
];
