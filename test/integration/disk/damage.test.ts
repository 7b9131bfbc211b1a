// What is on disk is not what was written: every such store is refused, and none is made better.

import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { createPrng, uniform } from "../../../raft/prng.ts";
import { openStoreReadOnly } from "../../../transport/disk/offline.ts";
import { StoreError } from "../../../transport/disk/store-error.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { plain } from "../../support/log-entry.ts";
import {
  FILLED,
  filesOf,
  fill,
  fillAndClose,
  flipBit,
  openStore,
  tamper,
} from "../../support/stored.ts";

const PAGE_BYTES = 4_096;
const PAGE_HEADER_BYTES = 12;
const SNAPSHOT_FILE = "snapshot-10-1.bin";

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("damage"), "n1");
});

async function expectCorrupt(text: string): Promise<void> {
  const before = filesOf(directory);
  const opening = openStore(directory);
  await expect(opening).rejects.toMatchObject({ code: "corrupt" });
  await expect(opening).rejects.toThrow(text);
  // Left as it is, for whoever looks at it.
  expect(filesOf(directory)[SNAPSHOT_FILE]).toEqual(before[SNAPSHOT_FILE]);
}

describe("in the database", () => {
  test.each([
    ["meta", "UPDATE meta SET store_id = '00000000'"],
    ["meta", "UPDATE meta SET may_found = 0"],
    ["meta", "UPDATE meta SET incarnation = 7"],
    ["meta", "UPDATE meta SET node_id = 'n2'"],
    ["hard_state", "UPDATE hard_state SET voted_for = NULL"],
    ["log_bounds", "UPDATE log_bounds SET offset_index = 7"],
    ["log_bounds", "UPDATE log_bounds SET last_index = 19"],
    ["snapshot", "UPDATE snapshot SET checksum = 1"],
    ["snapshot", "UPDATE snapshot SET configuration = replace(configuration, 'n1', 'n9')"],
    ["snapshot", "UPDATE snapshot SET log_index = NULL"],
  ])("A changed row of %s is refused: %s", async (table, sql) => {
    tamper(await fillAndClose(directory), sql);
    await expectCorrupt(`${table} does not match its checksum`);
  });

  test.each(["meta", "hard_state", "log_bounds", "snapshot"])(
    "A lost row of %s is refused.",
    async (table) => {
      tamper(await fillAndClose(directory), `DELETE FROM ${table}`);
      await expectCorrupt(`${table} has no row`);
    },
  );

  test.each([
    ["A changed entry", "UPDATE entries SET data = x'00' WHERE log_index = 9", "entry 9 does not"],
    ["A lost first entry", "DELETE FROM entries WHERE log_index = 7", "entry 7 is missing"],
    ["A lost entry", "DELETE FROM entries WHERE log_index = 15", "entry 15 is missing"],
    ["A lost last entry", "DELETE FROM entries WHERE log_index = 20", "entry 20 is missing"],
    ["A lost log", "DELETE FROM entries", "entry 7 is missing"],
    [
      "An entry too many",
      "INSERT INTO entries SELECT 21, term, kind, data, traceparent, crc FROM entries LIMIT 1",
      "entry 21 does not",
    ],
    [
      "A number that none was",
      "UPDATE entries SET term = 9223372036854775807 WHERE log_index = 9",
      "entry 9 does not",
    ],
    [
      "A number that none was, in a row of its own,",
      "UPDATE hard_state SET current_term = 9223372036854775807",
      "too large",
    ],
    ["A lost table", "DROP TABLE entries", "no such table"],
  ])("%s is refused.", async (_what, sql, text) => {
    tamper(await fillAndClose(directory), sql);
    await expectCorrupt(text);
  });

  test("An entry that is behind the offset already may be damaged or lost.", async () => {
    const path = await fillAndClose(directory);
    tamper(path, "UPDATE entries SET data = x'00' WHERE log_index = 6");
    tamper(path, "DELETE FROM entries WHERE log_index = 3");
    const store = await openStore(directory);
    expect(store.recovered.offset.index).toBe(FILLED.offset);
    expect(store.recovered.entries).toHaveLength(FILLED.last - FILLED.offset);
    await store.close();
  });

  test("Any flipped bit is refused, or changes nothing.", async () => {
    const path = await fillAndClose(directory);
    const sound = readFileSync(path);
    const before = contents();
    const outcomes = { refused: 0, unchanged: 0 };
    for (const bit of [...pageHeaderBits(sound.length), ...randomBits(sound.length, 200)]) {
      writeFileSync(path, sound);
      flipBit(path, Math.floor(bit / 8), bit % 8);
      const found = contentsOrRefusal();
      if (found !== null) expect(found).toEqual(before);
      outcomes[found === null ? "refused" : "unchanged"] += 1;
    }
    expect(outcomes.refused).toBeGreaterThan(100);
    expect(outcomes.unchanged).toBeGreaterThan(100);
  }, 60_000);

  test("A database that is gone while its snapshots are there is refused.", async () => {
    rmSync(await fillAndClose(directory));
    await expectCorrupt(`there are still ${SNAPSHOT_FILE}`);
  });

  test("A database that is gone while its write-ahead log is there is refused.", async () => {
    const store = await fill(directory);
    // As after a kill: the log is not in the file yet.
    const left = temporaryFolder("damage");
    copyFileSync(join(directory, `${LOG_FILE_NAME}-wal`), join(left, `${LOG_FILE_NAME}-wal`));
    await store.close();
    directory = left;
    await expectCorrupt(`there are still ${LOG_FILE_NAME}-wal`);
  });
});

describe("in the snapshot's file", () => {
  test.each([
    ["A flipped bit", (path: string) => flipBit(path, 299_999), "does not match its checksum"],
    ["A short one", (path: string) => truncateSync(path, 299_999), "has 299999 bytes"],
    ["A long one", (path: string) => truncateSync(path, 300_001), "has 300001 bytes"],
    ["A missing one", (path: string) => rmSync(path), "is missing"],
    ["Another's name", (path: string) => renameSync(path, `${path}.old`), "is missing"],
  ])("%s is refused.", async (_what, damage, text) => {
    await fillAndClose(directory);
    damage(join(directory, SNAPSHOT_FILE));
    await expectCorrupt(`${SNAPSHOT_FILE} ${text}`);
  });

  test("A damage found at the last does not raise the incarnation.", async () => {
    await fillAndClose(directory);
    const path = join(directory, SNAPSHOT_FILE);
    flipBit(path, 0);
    await expectCorrupt("does not match its checksum");
    flipBit(path, 0);
    const store = await openStore(directory);
    expect(store.recovered.incarnation).toBe(2);
    await store.close();
  });
});

test("A store of the first schema is refused, with what to do.", async () => {
  tamper(await fillAndClose(directory), "PRAGMA user_version = 1");
  const opening = openStore(directory);
  await expect(opening).rejects.toMatchObject({ code: "other-schema" });
  await expect(opening).rejects.toThrow("never released: start with an empty folder");
});

test("What no snapshot in force needs is removed at the next open.", async () => {
  await fillAndClose(directory);
  const before = Object.keys(filesOf(directory));
  for (const name of ["snapshot.staging", "snapshot-4-1.bin", "snapshot-12-1.bin"]) {
    writeFileSync(join(directory, name), "left by a crash");
  }
  writeFileSync(join(directory, "snapshot-notes.txt"), "not the store's");
  await (await openStore(directory)).close();
  expect(Object.keys(filesOf(directory))).toEqual([...before, "snapshot-notes.txt"]);
});

function contents(): object {
  const store = openStoreReadOnly(directory);
  try {
    const { identity, storeId, mayFound, incarnation, hardState, snapshot, offset } = store;
    const entries = plain([...store.entries()].flat());
    return { identity, storeId, mayFound, incarnation, hardState, snapshot, offset, entries };
  } finally {
    store.close();
  }
}

/** Null for one that is refused. */
function contentsOrRefusal(): object | null {
  try {
    return contents();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return null;
  }
}

/** Where a page says how many rows it has, and where: one bit can lose the end of the log. */
function pageHeaderBits(bytes: number): number[] {
  const pages = Array.from({ length: bytes / PAGE_BYTES }, (_, page) => page * PAGE_BYTES * 8);
  const bits = Array.from({ length: PAGE_HEADER_BYTES * 8 }, (_, bit) => bit);
  return pages.flatMap((page) => bits.map((bit) => page + bit));
}

function randomBits(bytes: number, count: number): number[] {
  const prng = createPrng(11);
  return Array.from({ length: count }, () => uniform(prng, 0, bytes * 8));
}
