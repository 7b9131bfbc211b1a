// kill -9 between and within the steps of taking a snapshot over: the old state or the new one.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "@jest/globals";
import type { LogStore } from "../../../transport/log-store.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, plain } from "../../support/log-entry.ts";
import { makeSnapshot, readSum, sumOf } from "../../support/snapshot-bytes.ts";
import { openStore } from "../../support/stored.ts";
import { atEnd } from "../../support/teardown.ts";

const STEPS = ["appended", "verified", "persisted", "compacted"] as const;
type Step = (typeof STEPS)[number];
/** snapshot-writer.ts's. */
const SNAPSHOT_BYTES = 600_000;

interface Said {
  readonly round: number;
  readonly step: Step;
}

/** Runs the writer until it has killed itself, and returns the last thing it said. */
async function lastSaidBefore(directory: string, dieAt: Step, turns: string): Promise<Said> {
  const program = join(import.meta.dirname, "snapshot-writer.ts");
  const writer = spawn(process.execPath, [program, directory, dieAt, turns], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  atEnd(() => {
    writer.kill("SIGKILL");
  });
  let last = "";
  for await (const line of createInterface({ input: writer.stdout })) last = line;
  const [round, step] = last.split(" ");
  return { round: Number(round), step: step as Step };
}

/** In rounds: how far entries, snapshot and compaction are. */
async function expectWhole(store: LogStore): Promise<readonly [number, number, number]> {
  const { hardState, snapshot, offset } = store.recovered;
  const written = hardState.currentTerm;
  const taken = snapshot?.term ?? 0;
  const compacted = offset.term;
  const expected = Array.from({ length: written }, (_, at) =>
    entries(20 * at + 1, 20 * at + 20, at + 1),
  ).flat();
  expect(plain(store.recovered.entries)).toEqual(plain(expected.slice(offset.index)));
  expect(offset.index).toBe(20 * compacted - 10);
  const made = makeSnapshot(20 * taken - 5, taken, SNAPSHOT_BYTES);
  expect(snapshot).toEqual(made.snapshot);
  expect(await readSum(store, made.snapshot)).toEqual(sumOf(made.data));
  return [written, taken, compacted];
}

test.each(STEPS.flatMap((step) => ["0", "4", "after"].map((turns) => [step, turns] as const)))(
  "Killed at %s (+%s turns), all is old or all is new, and nothing else is left.",
  async (dieAt, turns) => {
    const directory = join(temporaryFolder("snapshot-crash"), "n1");
    // A second time on what the first has left.
    for (let life = 1; life <= 2; life += 1) {
      const { round, step } = await lastSaidBefore(directory, dieAt, turns);
      const store = await openStore(directory);
      const [written, taken, compacted] = await expectWhole(store);
      const isDone = (of: Step): boolean => STEPS.indexOf(step) >= STEPS.indexOf(of);
      // The victim may have come one step further than it said.
      expect([round, round + 1]).toContain(written);
      expect(isDone("persisted") ? [round] : [round - 1, round]).toContain(taken);
      expect(isDone("compacted") ? [round] : [round - 1, round]).toContain(compacted);
      const snapshots = readdirSync(directory).filter((name) => name.startsWith("snapshot"));
      expect(snapshots).toEqual([`snapshot-${20 * taken - 5}-${taken}.bin`]);
      await store.close();
    }
  },
  60_000,
);
