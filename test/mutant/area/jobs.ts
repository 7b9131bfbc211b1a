// Planted bugs of the ledger and of what a driver tells its callers.

import type { Mutant } from "../mutant.ts";

const ATTEMPT = "ledger/attempt.ts";
const PARK = "ledger/park.ts";
const LINE = "ledger/line.ts";
const CALLS = "test/sim/open-calls.ts";

/** Clients, the ledger's own invariants, and its assertions, all see the same wrong. */
const WRONG = ["I17 ledger", "I16 one-result", "I17 terminal-stays", "Error"];
const HISTORY = "linearizability violated";
const DIFFERS = ["I5 state-machine", "I19 snapshot-restores"];

export const JOB_MUTANTS: readonly Mutant[] = [
  {
    name: "old-token-heard",
    lesson: "I16",
    breaks: "the report of a former attempt ends the live one",
    edits: [
      {
        file: "ledger/fencing.ts",
        find: "return job.currentToken !== 0 && job.currentToken === token;",
        replace: "return job.currentToken !== 0 && job.currentToken >= token;",
      },
    ],
    caughtBy: [...WRONG, HISTORY],
  },
  {
    name: "second-result-accepted",
    lesson: "I16",
    breaks: "a fenced report of success replaces the result of a job that has succeeded",
    edits: [
      {
        file: ATTEMPT,
        find: "  return refuseReport(ledger, job, finish);",
        replace: `  if (finish.outcome === "succeeded" && job.state === JobState.Succeeded) {
    job.result = finish.result;
    return { kind: "finished", state: job.state, nextAttemptMs: 0 };
  }
  return refuseReport(ledger, job, finish);`,
      },
    ],
    caughtBy: [...WRONG, HISTORY],
  },
  {
    name: "finished-job-runs-again",
    lesson: "I17",
    breaks: "a failed job may be started once more",
    edits: [
      {
        file: ATTEMPT,
        find: "    case JobState.Succeeded:\n    case JobState.Failed:\n      return",
        replace:
          "    case JobState.Failed:\n      return null;\n    case JobState.Succeeded:\n      return",
      },
    ],
    caughtBy: [...WRONG, HISTORY],
  },
  {
    name: "token-counter-outside-the-snapshot",
    lesson: "L41",
    breaks: "tokens come from a counter that is in no snapshot, so they fall after one",
    edits: [
      {
        file: "ledger/state.ts",
        find: "  lastPlace: number;\n",
        replace: "  lastPlace: number;\n  tokens: number;\n",
      },
      {
        file: "ledger/state.ts",
        find: "    lastPlace: 0,\n",
        replace: "    lastPlace: 0,\n    tokens: 0,\n",
      },
      {
        file: ATTEMPT,
        find: "    token: index,",
        replace: "    token: (ledger.tokens += index > 0 ? 1 : 0),",
      },
    ],
    caughtBy: [...WRONG, ...DIFFERS],
  },
  {
    name: "token-counted-by-job",
    lesson: "I16",
    breaks: "a token is the number of the attempt: two jobs with one lock key get the same",
    edits: [
      {
        file: ATTEMPT,
        find: "    token: index,",
        replace: "    token: Math.min(index, job.attempts.length + 1),",
      },
    ],
    caughtBy: ["I16 token-once", ...WRONG],
  },
  {
    name: "key-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a snapshot forgets idempotency keys, so a repeated submission makes a second job",
    edits: [
      {
        file: "ledger/kept-job.ts",
        find: "    idempotencyKey: job.idempotencyKey,",
        replace: '    idempotencyKey: "",',
      },
    ],
    caughtBy: [...DIFFERS, "I15 one-job-a-key"],
  },
  {
    name: "refused-start-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a snapshot forgets which start was refused last",
    edits: [
      {
        file: "ledger/kept-job.ts",
        find: "    refusedStartId: job.refusedStartId,",
        replace: '    refusedStartId: "",',
      },
    ],
    caughtBy: DIFFERS,
  },
  {
    name: "queue-order-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a snapshot has the queued jobs by number, not in the order in which they became so",
    edits: [
      {
        file: "ledger/snapshot.ts",
        find: "  for (const job of ledger.queued) {",
        replace:
          "  for (const job of [...ledger.queued].sort((one, other) => one.number - other.number)) {",
      },
    ],
    caughtBy: DIFFERS,
    seedsMax: 2000,
  },
  {
    name: "clock-lost-in-the-snapshot",
    lesson: "L41",
    breaks: "a restored ledger's clock starts anew",
    edits: [
      {
        file: "ledger/restore.ts",
        find: "{ appliedIndex, clockMs, termOpenedMs, lastPlace });",
        replace: "{ appliedIndex, termOpenedMs, lastPlace });",
      },
    ],
    caughtBy: DIFFERS,
  },
  {
    name: "key-not-remembered",
    lesson: "L48",
    breaks: "a repeated submission with the same key makes a second job",
    edits: [
      {
        file: "ledger/repeat.ts",
        find: "const owner = ledger.keys.ownerOf(submission.key);",
        replace: 'const owner = ledger.keys.ownerOf("");',
      },
    ],
    caughtBy: ["I15 one-job-a-key", "I35 keys", "Error", HISTORY, ...DIFFERS],
  },
  {
    name: "repeated-start-takes-a-new-token",
    lesson: "L48",
    breaks: "a start whose answer got lost starts a second attempt",
    edits: [
      {
        file: ATTEMPT,
        find: "(job.refusedStartId === startId || job.attempts.some((one) => one.startId === startId));",
        replace: "job.refusedStartId === startId;",
      },
    ],
    caughtBy: [HISTORY, ...WRONG],
    seedsMax: 2000,
  },
  {
    name: "repeated-report-refused",
    lesson: "L48",
    breaks: "a report whose answer got lost is refused when it is repeated",
    edits: [
      {
        file: ATTEMPT,
        find: "if (earlier?.answer && earlier.outcome === finish.outcome) return earlier.answer;",
        replace: "if (earlier?.answer && job.receipts.length > 1e9) return earlier.answer;",
      },
    ],
    caughtBy: [HISTORY],
  },
  {
    name: "lock-shared-by-two-attempts",
    lesson: "§3",
    breaks: "two live attempts hold one lock key",
    edits: [
      {
        file: LINE,
        find: "  if (holders.has(key)) return true;",
        replace: '  if (holders.has(key) && key === "") return true;',
      },
      {
        file: LINE,
        find: "    assert(!ledger.holders.has(key),",
        replace: "    assert(true,",
      },
      {
        file: LINE,
        find: "    assert(ledger.holders.get(key) === one,",
        replace: "    assert(true,",
      },
    ],
    caughtBy: [...WRONG, ...DIFFERS],
  },
  {
    name: "cancelled-handler-loses-its-lock",
    lesson: "§3",
    breaks: "the keys of a cancelled job are free before its handler has stopped",
    edits: [
      {
        file: "ledger/attempt-end.ts",
        find: "const keepsKeys = isCut && job.lockKeys.length > 0;",
        replace: "const keepsKeys = isCut && job.lockKeys.length > 1e9;",
      },
    ],
    caughtBy: WRONG,
  },
  {
    name: "line-not-woken",
    lesson: "§3",
    breaks: "nobody in the line is told when a lock key comes free",
    edits: [
      {
        file: PARK,
        find: "  freeKeys(turn.ledger, job);\n  wakeLine(turn, job.lockKeys);",
        replace: "  freeKeys(turn.ledger, job);",
      },
    ],
    caughtBy: [...WRONG, "I22 drains", "I19 snapshot-restores"],
  },
  {
    name: "one-attempt-too-many",
    lesson: "I17",
    breaks: "a job is tried once more than it may be",
    edits: [
      {
        file: "ledger/attempt-end.ts",
        find: "end.error.retryable && job.attemptsUsed < job.maxAttempts",
        replace: "end.error.retryable && job.attemptsUsed <= job.maxAttempts",
      },
    ],
    caughtBy: ["I19 snapshot-restores", ...WRONG, HISTORY],
  },
  {
    name: "slot-decided-twice",
    lesson: "L48",
    breaks: "a leader proposes slots before its last ones are applied, and both entries are heard",
    edits: [
      {
        file: "transport/schedule-keeper.ts",
        find: "    if (this.#openId !== null) return;",
        replace: "    if (this.#openId === -1) return;",
      },
      {
        file: "ledger/slots.ts",
        find: "tick.number !== number || tick.decidedMs !== decidedMs) return false;",
        replace: "tick.number !== number) return false;",
      },
      {
        file: "ledger/slots.ts",
        find: "  let lastMs = decidedMs;",
        replace: "  let lastMs = Math.min(decidedMs, tick.decidedMs);",
      },
    ],
    caughtBy: [...WRONG, ...DIFFERS],
  },
  {
    name: "lease-by-the-replicas-clock",
    lesson: "L44",
    breaks: "a lease ends by a clock that each replica reads for itself",
    edits: [
      {
        file: "ledger/tick.ts",
        find: "export function tick(turn: Turn): void {",
        replace: `let reads = 0;
/** Each reading of a clock gives another time; this one is the same in every run. */
function clockMs(): number {
  reads += 1;
  return (reads * 617) % 2_000;
}

export function tick(turn: Turn): void {`,
      },
      {
        file: "ledger/tick.ts",
        find: "first.rank > ledger.clockMs) break;",
        replace: "first.rank > ledger.clockMs + clockMs()) break;",
      },
      {
        file: "ledger/tick.ts",
        find: "timeoutMs) > turn.ledger.clockMs) return;",
        replace: "timeoutMs) > turn.ledger.clockMs + clockMs()) return;",
      },
    ],
    caughtBy: ["I5 state-machine"],
  },
  {
    name: "backoff-drawn-by-the-replica",
    lesson: "L44",
    breaks: "each replica draws the jitter of a backoff for itself",
    edits: [
      {
        file: "ledger/backoff.ts",
        find: "export function drawFor(",
        replace: "let draws = 0;\n\nexport function drawFor(",
      },
      {
        file: "ledger/backoff.ts",
        find: "  return (bits ^ (bits >>> 16)) >>> 0;",
        replace: `  draws += 0x9e3779b1;
  return (bits ^ (bits >>> 16) ^ draws) >>> 0;`,
      },
    ],
    caughtBy: ["I5 state-machine"],
  },
  {
    name: "answer-of-another-leaders-entry",
    lesson: "L49",
    breaks: "a caller is answered with what another leader's entry at the same place gave",
    edits: [
      {
        file: CALLS,
        find: "const outcome = placed.term === term ? result() : null;",
        replace: "const outcome = placed.term <= term ? result() : null;",
      },
      {
        file: CALLS,
        find: '    for (const { call } of placed) call.reply?.({ kind: "refused", reason: "unknown", leader });',
        replace: `    if (leader === "") return 0;
    for (const [index, one] of open) this.#placed.set(index, one);`,
      },
      {
        file: CALLS,
        find: "    this.#placed.clear();",
        replace: "    const open = [...this.#placed];\n    this.#placed.clear();",
      },
    ],
    caughtBy: [HISTORY, "I15 one-job-a-key", "durability", "I16 token-once"],
    seedsMax: 2000,
  },
  {
    name: "unknown-told-as-refused",
    lesson: "L50",
    breaks: "a deposed leader says that nothing happened of what may yet be committed",
    edits: [
      {
        file: CALLS,
        find: 'call.reply?.({ kind: "refused", reason: "unknown", leader });',
        replace: 'call.reply?.({ kind: "refused", reason: "not-leader", leader });',
      },
    ],
    caughtBy: [HISTORY],
    seedsMax: 2000,
  },
  {
    name: "answered-before-commit",
    lesson: "L43",
    breaks: "entries are applied when they are in the leader's log, before they are committed",
    edits: [
      {
        file: "raft/apply.ts",
        find: "const end = Math.min(node.commitIndex, node.lastApplied",
        replace: "const end = Math.min(node.log.lastIndex, node.lastApplied",
      },
      {
        file: "raft/node-check.ts",
        find: '  assert(handedIndex <= commitIndex, "I10", "handed over, commit", handedIndex, commitIndex);\n',
        replace: "",
      },
    ],
    caughtBy: ["I5 apply-committed"],
  },
  {
    name: "leader-clock-goes-back",
    lesson: "L59",
    breaks: "a leader stamps commands with its wall clock as it is, which may be set back",
    edits: [
      {
        file: "transport/leader-clock.ts",
        find: "    this.#lastMs = Math.max(wallMs, leastMs);",
        replace: "    this.#lastMs = leastMs < 0 ? leastMs : wallMs;",
      },
    ],
    caughtBy: ["I22 drains"],
  },
];
