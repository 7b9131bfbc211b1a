// One job a slot, whatever leaders do: against a model that only counts.
//
// Leaders that see the ledger as it was some entries ago, whose clocks are apart and jump, propose
// what the real code makes of it; proposals get lost, come late, twice, and in another order. The
// model knows every second at which a slot is, and nothing else.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { CommandBody } from "../../../ledger/command.ts";
import { apply, createLedger, type Ledger } from "../../../ledger/ledger.ts";
import { dueTicks } from "../../../transport/due-ticks.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { Invariants } from "./invariants.ts";
import { restored } from "./restored.ts";
import { bytes, kindOf, ruleOf, START_MS, specOf } from "./world.ts";

const EVERY_MS = 2_000;
const RUNS = 40;

const rule = fc.record({
  intervalMs: fc.constant(0),
  cron: fc.constant("*/2 * * * * *"),
  overlap: fc.constantFrom("skip", "queue", "allow"),
  missed: fc.constantFrom("skip", "once", "all"),
  missedAfterMs: fc.constantFrom(1_000, 5_000, 30_000),
} as const);

const move = fc.record({
  what: fc.constantFrom(
    ...(["propose", "propose", "propose", "deliver", "deliver", "deliver", "deliver"] as const),
    ...(["lose", "look", "look", "work", "work", "crash"] as const),
  ),
  leader: fc.nat(1),
  pick: fc.nat(1_000),
  stepMs: fc.constantFrom(0, 100, 700, 1_900, 2_000, 9_000, 20_000),
});
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

class Run {
  ledger: Ledger = createLedger();
  readonly #invariants = new Invariants();
  /** What each leader has applied. */
  readonly #views: Ledger[];
  readonly #skewsMs: readonly number[];
  /** Proposals on their way into the log. */
  readonly #onTheWay: { readonly timeMs: number; readonly body: CommandBody }[] = [];
  #nowMs = START_MS;
  #index = 0;

  constructor(rules: readonly Parameters<typeof ruleOf>[0][], skewsMs: readonly number[]) {
    this.#skewsMs = skewsMs;
    this.#commit(START_MS, { kind: "register-kinds", kinds: [kindOf({ maxAttempts: 2 })] });
    for (const [at, one] of rules.entries()) {
      const create = { scheduleId: `s${at}`, rule: ruleOf(one), job: specOf() };
      this.#commit(START_MS, { kind: "create-schedule", ...create });
    }
    this.#views = [this.#copy(), this.#copy()];
  }

  make({ what, leader, pick, stepMs }: Move): void {
    this.#nowMs += stepMs;
    const view = this.#views[leader] ?? this.ledger;
    const timeMs = Math.max(view.clockMs, this.#nowMs + (this.#skewsMs[leader] ?? 0));
    switch (what) {
      case "propose": {
        const ticks = dueTicks(view, timeMs, () => undefined);
        if (ticks.length > 0)
          this.#onTheWay.push({ timeMs, body: { kind: "tick-schedules", ticks } });
        break;
      }
      case "deliver": {
        const at = pick % Math.max(1, this.#onTheWay.length);
        const one = this.#onTheWay[at];
        // One of three stays, to come again.
        if (one !== undefined && pick % 3 !== 0) this.#onTheWay.splice(at, 1);
        if (one !== undefined) this.#commit(one.timeMs, one.body);
        break;
      }
      case "lose":
        this.#onTheWay.splice(pick % Math.max(1, this.#onTheWay.length), 1);
        break;
      case "look":
        this.#views[leader] = this.#copy();
        break;
      case "work":
        this.#work(pick);
        break;
      case "crash":
        // A replica that was restored from a snapshot goes on as well.
        this.ledger = restored(this.ledger);
        break;
    }
  }

  /** One leader that sees everything, until nothing is due. */
  settle(): void {
    this.#nowMs = Math.max(this.#nowMs + 100_000, this.ledger.clockMs);
    for (;;) {
      const ticks = dueTicks(this.ledger, this.#nowMs, () => undefined);
      if (ticks.length === 0) return;
      this.#commit(this.#nowMs, { kind: "tick-schedules", ticks });
    }
  }

  #work(pick: number): void {
    const job = [...this.ledger.queued][0];
    const live = [...this.ledger.running][0];
    const timeMs = this.#nowMs;
    if (live !== undefined && pick % 2 === 0) {
      const end = { jobId: live.id, token: live.currentToken, worker: "w" };
      const finish = { ...end, outcome: "succeeded", result: bytes(1), error: null } as const;
      this.#commit(timeMs, { kind: "finish-attempt", ...finish });
    } else if (job !== undefined) {
      const start = { jobId: job.id, worker: "w", startId: `${pick}-${this.#index}` };
      this.#commit(timeMs, { kind: "start-attempt", ...start, leaseMs: 5_000 });
    }
  }

  #commit(timeMs: number, body: CommandBody): void {
    this.#index += 1;
    const command = { timeMs, random: 1, body };
    const applied = apply(this.ledger, this.#index, command);
    this.#invariants.check(this.ledger, this.#index, command, applied);
  }

  #copy(): Ledger {
    return restored(this.ledger);
  }
}

/** Second by second. */
function slotsUntil(decidedMs: number): number[] {
  const slots: number[] = [];
  for (let atMs = START_MS + 1_000; atMs <= decidedMs; atMs += 1_000) {
    if (atMs % EVERY_MS === 0) slots.push(atMs);
  }
  return slots;
}

test("each slot is decided once: it has one job, or is counted once, or waits", () => {
  const reached = { made: 0, skipped: 0, missed: 0, waiting: 0 };
  assertRuns(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 2 }),
      fc.tuple(fc.integer({ min: -900, max: 900 }), fc.integer({ min: -20_000, max: 20_000 })),
      fc.array(move, { minLength: 20, maxLength: 45, size: "max" }),
      (rules, skews, moves) => {
        const run = new Run(rules, skews);
        for (const one of moves) run.make(one);
        run.settle();
        for (const schedule of run.ledger.schedules.values()) {
          const { id, pending, firedCount, skippedCount, missedCount, decidedMs } = schedule;
          const expected = slotsUntil(decidedMs);
          expect(decidedMs).toBeGreaterThan(run.ledger.clockMs - EVERY_MS);
          const jobs = [...run.ledger.jobs].filter((job) => job.scheduleId === id);
          const made = jobs.map(({ slotMs }) => slotMs);
          expect(made).toEqual([...new Set(made)].sort((one, other) => one - other));
          const known = new Set(expected);
          expect([...made, ...pending].filter((slotMs) => !known.has(slotMs))).toEqual([]);
          expect(made.length + skippedCount + missedCount + pending.length).toBe(expected.length);
          expect(firedCount).toBe(made.length);
          if (schedule.rule.missed === "all") expect(missedCount).toBe(0);
          if (schedule.rule.overlap === "allow") expect(skippedCount + pending.length).toBe(0);
          reached.made += made.length;
          reached.skipped += skippedCount;
          reached.missed += missedCount;
          reached.waiting += pending.length;
        }
      },
    ),
    { numRuns: RUNS },
  );
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(RUNS);
});
