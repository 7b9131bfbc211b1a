// The log is read as it is on the disk, while the store is in use.

import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "@jest/globals";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries } from "../../support/log-entry.ts";
import { FILLED, fill, openStore } from "../../support/stored.ts";
import { atEnd } from "../../support/teardown.ts";

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("check"), "n1");
});

/** In place, as a disk does it: the file stays open elsewhere. */
function change(text: string, to: string): void {
  const path = join(directory, LOG_FILE_NAME);
  const at = readFileSync(path).indexOf(text);
  if (at < 0) throw new Error(`no ${text} in the file`);
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, to, at);
  closeSync(descriptor);
}

test("A sound log passes, also one that was compacted and goes on meanwhile.", async () => {
  const store = await fill(directory);
  atEnd(() => store.close());
  const checking = store.check();
  await store.persist({ entries: entries(FILLED.last + 1, FILLED.last + 900, 2) });
  await checking;
  await store.check();
});

test("A byte that has changed on the disk is found, and the store is used no more.", async () => {
  await (await fill(directory)).close();
  const store = await openStore(directory);
  atEnd(() => store.close());
  await store.check();
  change("entry 15 of 1", "entry 51 of 1");
  await expect(store.check()).rejects.toThrow("entry 15 does not match its checksum");
  await expect(store.persist({ entries: [] })).rejects.toMatchObject({ code: "poisoned" });
});
