// The victim of snapshot-crash.test.ts: takes snapshots over, says what is done, and kills itself
// at the step it is told to, in its second round.
//
// Round r, all of term r: entries 20r-19 .. 20r; a snapshot at 20r-5; the log before 20r-9 goes.

import { setImmediate } from "node:timers/promises";
import { entries } from "../../support/log-entry.ts";
import { makeSnapshot, stageAndVerify } from "../../support/snapshot-bytes.ts";
import { openStore } from "../../support/stored.ts";

const SNAPSHOT_BYTES = 600_000;

const [, , directory = "", dieAt = "", turns = "0"] = process.argv;
const store = await openStore(directory);
let round = store.recovered.hardState.currentTerm;
const firstRound = round + 1;

/** The pipe to the test is written at once: what was said has arrived. */
async function step(name: string, work: () => Promise<unknown>): Promise<void> {
  const isLast = round > firstRound && name === dieAt;
  // In the middle of it, after so many turns of the loop; or right behind it.
  const working = work();
  if (isLast && turns !== "after") await dieIn(Number(turns));
  await working;
  process.stdout.write(`${round} ${name}\n`);
  if (isLast) await dieIn(0);
}

async function dieIn(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate();
  process.kill(process.pid, "SIGKILL");
}

for (;;) {
  round += 1;
  const last = 20 * round;
  const made = makeSnapshot(last - 5, round, SNAPSHOT_BYTES);
  const { snapshot } = made;
  await step("appended", () =>
    store.persist({
      hardState: { currentTerm: round, votedFor: null },
      entries: entries(last - 19, last, round),
    }),
  );
  await step("verified", () => stageAndVerify(store, made));
  await step("persisted", () => store.persist({ snapshot, entries: [] }));
  await step("compacted", () =>
    store.persist({ compactTo: { index: last - 10, term: round }, entries: [] }),
  );
}
