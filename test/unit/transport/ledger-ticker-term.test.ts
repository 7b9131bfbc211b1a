// The command that opens a leader's term is proposed again when it was refused.

import { describe, expect, test } from "@jest/globals";
import { createLedger } from "../../../ledger/ledger.ts";
import { LeaderClock } from "../../../transport/leader-clock.ts";
import { LedgerTicker } from "../../../transport/ledger-ticker.ts";
import { World } from "../ledger/world.ts";

function setUp() {
  const proposed: string[] = [];
  const time = { wallMs: 0, monotonicMs: 0 };
  const sources = { wallMs: () => time.wallMs, monotonicMs: () => time.monotonicMs };
  const ticker = new LedgerTicker({
    nodeName: "n1",
    clock: new LeaderClock(() => 0, sources),
    propose: ({ kind }) => proposed.push(kind),
  });
  return { ticker, proposed, time };
}

describe("a new leader's first command", () => {
  test("that is refused since it hands over is proposed again, once", () => {
    const { ticker, proposed } = setUp();
    ticker.elected();
    ticker.reopen();
    expect(proposed).toEqual(["open-term"]);
    ticker.refused(1);
    ticker.reopen();
    ticker.reopen();
    expect(proposed).toEqual(["open-term", "open-term"]);
  });

  test("of an earlier term is not", () => {
    const { ticker, proposed } = setUp();
    ticker.elected();
    ticker.elected();
    ticker.refused(1);
    ticker.reopen();
    expect(proposed).toEqual(["open-term", "open-term"]);
  });
});

describe("a tick", () => {
  test("waits for nothing where nothing is due", () => {
    const { ticker, proposed } = setUp();
    ticker.advance(createLedger());
    expect(proposed).toEqual([]);
  });

  test("behind a leap of the wall clock opens the term first, again if that was refused", () => {
    const world = new World();
    world.begin(world.add());
    const { ticker, proposed, time } = setUp();
    time.wallMs = world.nowMs + 3_600_000;
    ticker.advance(world.ledger);
    expect(proposed).toEqual(["open-term", "tick"]);
    ticker.refused(1);
    ticker.refused(2);
    ticker.reopen();
    ticker.advance(world.ledger);
    expect(proposed).toEqual(["open-term", "tick", "open-term", "tick"]);
  });
});
