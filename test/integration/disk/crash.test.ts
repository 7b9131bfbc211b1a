// kill -9 in the middle of writing: what was acknowledged is there, and nothing is there by half.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeEach, expect, test } from "@jest/globals";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, plain } from "../../support/log-entry.ts";
import { atEnd } from "../../support/teardown.ts";

const identity = { cluster: "test", nodeId: "n1" };
const ROUNDS = 3;
const WRITES_A_ROUND = 150;

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("crash"), "n1");
});

function startWriter(): ChildProcess {
  const program = join(import.meta.dirname, "crash-writer.ts");
  const writer = spawn(process.execPath, [program, directory, identity.nodeId], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  atEnd(() => {
    writer.kill("SIGKILL");
  });
  return writer;
}

/** Lets it write, kills it, and returns the last write it acknowledged (also after the kill). */
async function killed(writer: ChildProcess, afterWrites: number): Promise<number> {
  if (writer.stdout === null) throw new Error("the writer has no stdout");
  let acknowledged = 0;
  let count = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged = Number(line);
    count += 1;
    if (count === afterWrites) writer.kill("SIGKILL");
  }
  return acknowledged;
}

test("After kill -9, acknowledged writes are there and each write is whole.", async () => {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const acknowledged = await killed(startWriter(), WRITES_A_ROUND);
    expect(acknowledged).toBeGreaterThanOrEqual(WRITES_A_ROUND);

    const store = await openSqliteLogStore({ directory, identity });
    const { hardState, entries: found, incarnation } = store.recovered;
    const writes = hardState.currentTerm;
    expect(writes).toBeGreaterThanOrEqual(acknowledged);
    const expected = Array.from({ length: writes }, (_, at) =>
      entries(3 * at + 1, 3 * at + 3, at + 1),
    ).flat();
    expect(plain(found)).toEqual(plain(expected));
    expect(hardState.votedFor).toBe(identity.nodeId);
    // The writer and this test take turns.
    expect(incarnation).toBe(2 * round);
    await store.close();
  }
}, 60_000);

test("A second process on the same directory is refused while the first lives.", async () => {
  const writer = startWriter();
  if (writer.stdout === null) throw new Error("the writer has no stdout");
  await once(writer.stdout, "data");
  const opening = openSqliteLogStore({ directory, identity });
  await expect(opening).rejects.toMatchObject({ code: "in-use" });
  await expect(opening).rejects.toThrow("is open in another process");
  const exit = once(writer, "exit");
  writer.kill("SIGKILL");
  await exit;
  const store = await openSqliteLogStore({ directory, identity });
  expect(store.recovered.incarnation).toBe(2);
  await store.close();
}, 30_000);
