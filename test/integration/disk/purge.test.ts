// Compaction records its place at once and removes rows later, a little at a time.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, test } from "@jest/globals";
import { packBatch } from "../../../transport/disk/packed.ts";
import { SqliteLogFile } from "../../../transport/disk/sqlite-log-file.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { testFaultOf } from "../../../transport/disk/test-fault.ts";
import type { LogWrite } from "../../../transport/log-store.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, entry } from "../../support/log-entry.ts";
import { makeSnapshot } from "../../support/snapshot-bytes.ts";
import { IDENTITY } from "../../support/stored.ts";

const MANY = 30_000;

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("purge"), "n1");
});

interface Opened {
  readonly file: SqliteLogFile;
  readonly entryCount: number;
  write(write: LogWrite): void;
}

/** What the disk's thread does, step by step. */
function open(): Opened {
  let entryCount = 0;
  const file = new SqliteLogFile({
    order: { directory, identity: IDENTITY, isReplacement: false, pageCountMax: null },
    fault: testFaultOf({}),
    onEntries: ({ traceparents }) => {
      entryCount += traceparents.length;
    },
  });
  return { file, entryCount, write: (write) => file.write(packBatch([write])) };
}

function rows(): object | undefined {
  const database = new DatabaseSync(join(directory, LOG_FILE_NAME), { readOnly: true });
  const row = database
    .prepare("SELECT count(*) AS count, min(log_index) AS first FROM entries")
    .get();
  database.close();
  return row === undefined ? row : { ...row };
}

function compactedTo(index: number): LogWrite {
  // Without bytes: there is no file to miss.
  return {
    snapshot: makeSnapshot(index, 1, 0).snapshot,
    compactTo: { index, term: 1 },
    entries: [],
  };
}

test("Rows behind the offset are left by the write, ignored at open, and go in steps.", () => {
  const first = open();
  first.write({ entries: entries(1, MANY, 1) });
  expect(first.file.isPurgePending).toBe(false);
  first.write(compactedTo(MANY - 10));
  expect(first.file.isPurgePending).toBe(true);
  first.file.close();
  expect(rows()).toEqual({ count: MANY, first: 1 });

  const second = open();
  expect(second.entryCount).toBe(10);
  expect(second.file.head.offset).toEqual({ index: MANY - 10, term: 1 });
  second.file.purge();
  second.file.close();
  expect(rows()).not.toEqual({ count: MANY, first: 1 });

  const third = open();
  expect(third.entryCount).toBe(10);
  while (third.file.isPurgePending) third.file.purge();
  third.write({ entries: [entry(MANY + 1, 1)] });
  third.file.close();
  expect(rows()).toEqual({ count: 11, first: MANY - 9 });
});

test("What is compacted during the removal is removed as well.", () => {
  const { file, write } = open();
  write({ entries: entries(1, MANY, 1) });
  write(compactedTo(MANY / 2));
  file.purge();
  write(compactedTo(MANY));
  while (file.isPurgePending) file.purge();
  file.close();
  expect(rows()).toEqual({ count: 0, first: null });
});

test("A gap that an installed snapshot leaves is not searched row by row.", () => {
  const far = Number.MAX_SAFE_INTEGER - 10;
  const { file, write } = open();
  write({ entries: entries(1, 20, 1) });
  write({ ...compactedTo(far), truncateFrom: 5, entries: [entry(far + 1, 1)] });
  while (file.isPurgePending) file.purge();
  file.close();
  expect(rows()).toEqual({ count: 1, first: far + 1 });
  const again = open();
  expect(again.entryCount).toBe(1);
  again.file.close();
});
