// Applying is total: whatever a command's fields hold, there is a result, and the state stays
// sound.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Command } from "../../../ledger/command.ts";
import { apply, createLedger, hash } from "../../../ledger/ledger.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { Invariants } from "./invariants.ts";
import { aim, KNOWN, wildCommand } from "./wild-command.ts";

const RUNS = 200;

test("no command makes apply throw, and the invariants hold after any", () => {
  const reached = { accepted: 0, started: 0 };
  assertRuns(
    fc.property(
      fc.array(wildCommand, { minLength: 20, maxLength: 60, size: "max" }),
      (commands) => {
        const ledger = createLedger();
        const invariants = new Invariants();
        [KNOWN, ...commands].forEach((drawn, position) => {
          const one = aim(ledger, drawn);
          const applied = apply(ledger, position + 1, one);
          invariants.check(ledger, position + 1, one, applied);
        });
        expect(hash(ledger)).toMatch(/^[0-9a-f]{16}$/);
        reached.accepted += ledger.counters.accepted;
        reached.started += ledger.counters.attemptsStarted;
      },
    ),
    { numRuns: RUNS },
  );
  // Enough of it is taken to mean something.
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(RUNS / 4);
});

test("an index that does not rise is a bug of ours, and is asserted", () => {
  const ledger = createLedger();
  const tick: Command = { timeMs: 1, random: 0, body: { kind: "tick" } };
  apply(ledger, 7, tick);
  expect(() => apply(ledger, 7, tick)).toThrow("entry 7 comes after 7");
});
