// A damaged store is moved away whole, and what comes in its place is another one.

import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "@jest/globals";
import { setAsideStore } from "../../../transport/disk/set-aside.ts";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { filesOf, fillAndClose, IDENTITY, openStore, tamper } from "../../support/stored.ts";

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("set-aside"), "n1");
});

test("All files of the store are in a folder named after the moment, as they were.", async () => {
  await fillAndClose(directory);
  const before = filesOf(directory);
  const folder = setAsideStore(directory, new Date("2031-02-03T04:05:06.789Z"));
  expect(folder).toBe(join(directory, "damaged-2031-02-03T040506.789Z"));
  expect(filesOf(folder)).toEqual(before);
  expect(Object.keys(before)).toEqual([LOG_FILE_NAME, "snapshot-10-1.bin"]);
  expect(readdirSync(directory)).toEqual(["damaged-2031-02-03T040506.789Z"]);
});

test("Two stores set aside in the same millisecond are two folders.", async () => {
  const now = new Date("2031-02-03T04:05:06.789Z");
  const folders = [];
  for (let life = 0; life < 2; life += 1) {
    await fillAndClose(directory);
    folders.push(setAsideStore(directory, now));
  }
  expect(new Set(folders).size).toBe(2);
  for (const folder of folders) expect(Object.keys(filesOf(folder))).toHaveLength(2);
});

test("The store in its place is empty, another one, and never founds a cluster.", async () => {
  const path = await fillAndClose(directory);
  const old = await openStore(directory);
  const { storeId } = old.recovered;
  await old.close();
  tamper(path, "DELETE FROM entries WHERE log_index = 15");
  await expect(openStore(directory)).rejects.toMatchObject({ code: "corrupt" });
  setAsideStore(directory);
  // Nobody says that it is a replacement: a crash may have come between.
  for (const incarnation of [1, 2]) {
    const store = await openStore(directory);
    expect(store.recovered).toMatchObject({ incarnation, mayFound: false, snapshot: null });
    expect(store.recovered.entries).toEqual([]);
    expect(store.recovered.storeId).not.toBe(storeId);
    await store.close();
  }
});

test("A replacement never founds a cluster, wherever it is made.", async () => {
  const options = { directory, identity: IDENTITY, isReplacement: true };
  await (await openSqliteLogStore(options)).close();
  const store = await openStore(directory);
  expect(store.recovered.mayFound).toBe(false);
  await store.close();
});

test("A store that was there stays what it was, whatever it is opened as.", async () => {
  await fillAndClose(directory);
  const options = { directory, identity: IDENTITY, isReplacement: true };
  const store = await openSqliteLogStore(options);
  expect(store.recovered).toMatchObject({ mayFound: true, incarnation: 2 });
  await store.close();
});

test("Stopped after the database, the rest does not open as a new store.", async () => {
  await fillAndClose(directory);
  const folder = join(directory, "damaged-2031-02-03T040506.789Z");
  mkdirSync(folder);
  renameSync(join(directory, LOG_FILE_NAME), join(folder, LOG_FILE_NAME));
  await expect(openStore(directory)).rejects.toMatchObject({ code: "corrupt" });
  setAsideStore(directory);
  const store = await openStore(directory);
  expect(store.recovered.mayFound).toBe(false);
  await store.close();
});
