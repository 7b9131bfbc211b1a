// When a leader proposes a tick, and what it says before one.

import { beforeEach, expect, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { apply, createLedger, type Ledger, nextDueMs } from "../../../ledger/ledger.ts";
import { LeaderClock } from "../../../transport/leader-clock.ts";
import { LedgerTicker } from "../../../transport/ledger-ticker.ts";
import { REGISTRATION, submission } from "../../support/driver-cluster.ts";

let nowMs: number;
let wallMs: number;
let ledger: Ledger;
let proposed: CommandBody[];
let ticker: LedgerTicker;

/** Time passes, on both clocks. */
function pass(byMs: number): void {
  nowMs += byMs;
  wallMs += byMs;
}

beforeEach(() => {
  [nowMs, wallMs] = [0, 1_000];
  proposed = [];
  ledger = createLedger();
  const clock = new LeaderClock(() => ledger.clockMs, {
    wallMs: () => wallMs,
    monotonicMs: () => nowMs,
  });
  const propose = (body: CommandBody): number => proposed.push(body);
  ticker = new LedgerTicker({ nodeName: "n1", clock, propose });
  apply(ledger, 1, { timeMs: 1_000, random: 1, body: REGISTRATION });
});

function due(atMs: number, index = 2): void {
  apply(ledger, index, { timeMs: 1_000, random: 2, body: submission(1, atMs) });
}

test("nothing is proposed while nothing is due", () => {
  ticker.advance(ledger);
  due(5_000);
  expect(nextDueMs(ledger)).toBe(5_000);
  pass(3_999);
  ticker.advance(ledger);
  expect(proposed).toEqual([]);
});

test("a tick is proposed when something is due, and the next one when that has ended", () => {
  due(5_000);
  pass(4_000);
  for (let count = 0; count < 3; count += 1) ticker.advance(ledger);
  expect(proposed).toEqual([{ kind: "tick" }]);
  ticker.applied(ledger, { kind: "tick" }, []);
  ticker.advance(ledger);
  expect(proposed).toHaveLength(2);
  // It has done its work: nothing is due any more.
  apply(ledger, 3, { timeMs: 5_000, random: 3, body: { kind: "tick" } });
  ticker.applied(ledger, { kind: "tick" }, []);
  ticker.advance(ledger);
  expect(proposed).toHaveLength(2);
});

test("one that was refused is proposed again; a refusal of something else changes nothing", () => {
  due(2_000);
  pass(1_000);
  ticker.advance(ledger);
  ticker.refused(99);
  ticker.advance(ledger);
  expect(proposed).toHaveLength(1);
  ticker.refused(1);
  ticker.advance(ledger);
  expect(proposed).toHaveLength(2);
});

test("a wall clock that leapt forward is told of before the tick, once", () => {
  due(3_600_000);
  wallMs += 3_600_000;
  ticker.advance(ledger);
  expect(proposed).toEqual([{ kind: "open-term", leader: "n1" }, { kind: "tick" }]);
  ticker.applied(ledger, { kind: "tick" }, []);
  ticker.advance(ledger);
  expect(proposed.map(({ kind }) => kind)).toEqual(["open-term", "tick", "tick"]);
});

test("finished jobs are forgotten when they are too old or too many, one command at a time", () => {
  const forgotten = (): CommandBody[] => proposed.filter(({ kind }) => kind === "forget-jobs");
  const retention = { ageMs: 60_000, jobsMax: 1, spareMs: 10_000, keyMs: 0 };
  const propose = (body: CommandBody): number => proposed.push(body);
  const clock = new LeaderClock(() => ledger.clockMs, {
    wallMs: () => wallMs,
    monotonicMs: () => nowMs,
  });
  ticker = new LedgerTicker({ nodeName: "n1", clock, propose, retention });
  const cancel = (jobId: string): CommandBody => ({ kind: "cancel-job", jobId, reason: "" });
  const bodies = [submission(), submission(), cancel("j-2"), cancel("j-3")];
  bodies.forEach((body, at) => {
    apply(ledger, at + 2, { timeMs: 1_000, random: 2, body });
  });
  // There are too many, but they have just ended.
  pass(10_000);
  ticker.advance(ledger);
  expect(forgotten()).toEqual([]);
  pass(1);
  for (let count = 0; count < 3; count += 1) ticker.advance(ledger);
  const [body] = forgotten();
  expect(forgotten()).toHaveLength(1);
  expect(body).toMatchObject({ endedBeforeMs: 0, keptMax: 1, spareBeforeMs: 1_001 });
  if (body === undefined) throw new Error("one was proposed");
  apply(ledger, 6, { timeMs: wallMs, random: 3, body });
  ticker.applied(ledger, body, []);
  expect([...ledger.jobs].map(({ id }) => id)).toEqual(["j-3"]);
  ticker.advance(ledger);
  expect(forgotten()).toHaveLength(1);
  // The other one has its age; the command is refused, and proposed again.
  pass(50_000);
  ticker.advance(ledger);
  expect(forgotten()).toHaveLength(2);
  ticker.refused(proposed.length);
  ticker.advance(ledger);
  expect(forgotten()).toHaveLength(3);
});
