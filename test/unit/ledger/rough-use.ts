// Work for a ledger of unknown origin: whatever comes, no assertion of its own may fail.

import type { Command } from "../../../ledger/command.ts";
import { apply, type Ledger } from "../../../ledger/ledger.ts";
import { checkLedger } from "./invariants.ts";
import { bodyOf, type Intent } from "./workload.ts";

const COMMANDS_MAX = 40;

/** Throws if the ledger breaks a rule, now or after any of the commands. */
export function useRoughly(ledger: Ledger, intents: readonly Intent[]): void {
  checkLedger(ledger);
  let nowMs = ledger.clockMs;
  for (const one of intents.slice(0, COMMANDS_MAX)) {
    nowMs += one.stepMs;
    const body = bodyOf(ledger, one, nowMs);
    const command: Command = { timeMs: nowMs, random: one.random, body };
    // No log is that long: an index beyond is the caller's bug.
    if (!Number.isSafeInteger(ledger.appliedIndex + 1)) return;
    apply(ledger, ledger.appliedIndex + 1, command);
    checkLedger(ledger);
  }
}
