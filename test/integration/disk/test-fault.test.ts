// Faults on demand: a slow disk delays commits, a full one poisons, and both can be switched.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "@jest/globals";
import { testFaultOf } from "../../../transport/disk/test-fault.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { openStore } from "../../support/stored.ts";
import { atEnd } from "../../support/teardown.ts";

const DELAY = "QUORUMQ_TEST_DISK_DELAY_FILE";
const FULL = "QUORUMQ_TEST_DISK_FULL_FILE";

test("Without variables and without files nothing happens.", () => {
  const missing = join(temporaryFolder("fault"), "missing");
  for (const env of [{}, { [DELAY]: missing, [FULL]: missing }]) {
    const fault = testFaultOf(env);
    fault.beforeCommit();
    fault.beforeWrite();
  }
});

test("While the file is there each commit takes so long as it says.", () => {
  const path = join(temporaryFolder("fault"), "delay");
  const slept: number[] = [];
  const fault = testFaultOf({ [DELAY]: path }, (ms) => slept.push(ms));
  fault.beforeCommit();
  // Being written, or nonsense: no delay.
  for (const content of ["60\n", "", "soon", "7"]) {
    writeFileSync(path, content);
    fault.beforeCommit();
  }
  rmSync(path);
  fault.beforeCommit();
  fault.beforeWrite();
  expect(slept).toEqual([60, 7]);
});

test("While the file is there each write fails as on a full disk.", () => {
  const path = join(temporaryFolder("fault"), "full");
  const fault = testFaultOf({ [FULL]: path });
  writeFileSync(path, "");
  for (const write of [fault.beforeCommit, fault.beforeWrite]) {
    expect(write).toThrow(expect.objectContaining({ errcode: 13 }));
  }
  rmSync(path);
  fault.beforeCommit();
});

test("A process whose disk is full stops, and what it acknowledged is there.", async () => {
  const folder = temporaryFolder("fault");
  const directory = join(folder, "n1");
  const path = join(folder, "full");
  const program = join(import.meta.dirname, "crash-writer.ts");
  const writer = spawn(process.execPath, [program, directory, "n1"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, [FULL]: path },
  });
  atEnd(() => {
    writer.kill("SIGKILL");
  });
  const exit = once(writer, "exit");
  const errors = writer.stderr.setEncoding("utf8").toArray();
  let acknowledged = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged = Math.max(acknowledged, Number(line));
    if (acknowledged === 50) writeFileSync(path, "");
  }
  expect((await exit)[0]).toBe(1);
  expect((await errors).join("")).toContain("database or disk is full");
  const store = await openStore(directory);
  expect(store.recovered.hardState.currentTerm).toBe(acknowledged);
  await store.close();
}, 30_000);
