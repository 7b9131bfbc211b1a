// kill -9 in the middle of writing: what was acknowledged is there, and nothing is there by half.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeEach, expect, test } from "@jest/globals";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, entry, plain } from "../../support/log-entry.ts";
import { atEnd } from "../../support/teardown.ts";

const identity = { cluster: "test", nodeId: "n1" };
const ROUNDS = 3;
const WRITES_A_ROUND = 150;
/** crash-writer.ts's. */
const WRITES_UNDER_WAY = 8;

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

/** Kills a writer and hands the write-ahead log that it left, of 4 KiB pages. */
async function leftWal(): Promise<{ readonly path: string; readonly acknowledged: number }> {
  const acknowledged = await killed(startWriter(), WRITES_A_ROUND);
  return { path: join(directory, `${LOG_FILE_NAME}-wal`), acknowledged };
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
}

test.each([
  ["in the middle of the write-ahead log", 0.5],
  ["in its first frame", 0.002],
  ["in its header", 0],
])(
  "A flipped byte %s refuses to start, instead of forgetting what stands behind.",
  async (_where, part) => {
    const { path } = await leftWal();
    const before = readFileSync(path);
    flipByte(path, Math.floor(before.length * part) + 20);
    const opening = openSqliteLogStore({ directory, identity });
    await expect(opening).rejects.toMatchObject({ code: "corrupt" });
    await expect(opening).rejects.toThrow(path);
    // Left as it is, for whoever repairs it.
    expect(readFileSync(path)).toHaveLength(before.length);
  },
  30_000,
);

test("A write-ahead log that looks damaged while a node writes it is in use, not damaged.", async () => {
  const store = await openSqliteLogStore({ directory, identity });
  for (let index = 1; index <= 40; index += 1) await store.persist({ entries: [entry(index, 1)] });
  const path = join(directory, `${LOG_FILE_NAME}-wal`);
  // As one that is read while its beginning is being written over.
  flipByte(path, 100);
  const opening = openSqliteLogStore({ directory, identity });
  await expect(opening).rejects.toMatchObject({ code: "in-use" });
  flipByte(path, 100);
  await store.close();
  const again = await openSqliteLogStore({ directory, identity });
  expect(again.recovered.entries).toHaveLength(40);
  await again.close();
});

test("A torn end of the write-ahead log costs the write it belongs to, no more.", async () => {
  const { path, acknowledged } = await leftWal();
  truncateSync(path, readFileSync(path).length - 100);
  const store = await openSqliteLogStore({ directory, identity });
  // The last transaction held what the writer had under way together.
  const { currentTerm } = store.recovered.hardState;
  expect(currentTerm).toBeGreaterThanOrEqual(acknowledged - WRITES_UNDER_WAY);
  expect(store.recovered.entries).toHaveLength(3 * currentTerm);
  await store.close();
}, 30_000);
