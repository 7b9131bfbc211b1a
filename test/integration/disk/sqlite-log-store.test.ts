// SQLite as log store: the contract, and what only a disk can do to us.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { LOG_FILE_NAME } from "../../../transport/disk/sqlite-log-file.ts";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import type { LogStore } from "../../../transport/log-store.ts";
import { logStoreContract } from "../../contract/log-store.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, entry } from "../../support/log-entry.ts";

const identity = { cluster: "test", nodeId: "n1" };
let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("disk"), "n1");
});

function open(pageCountMax?: number): Promise<LogStore> {
  const limit = pageCountMax === undefined ? {} : { pageCountMax };
  return openSqliteLogStore({ directory, identity, ...limit });
}

async function closedWith(count: number): Promise<string> {
  const store = await open();
  await store.persist({
    hardState: { currentTerm: 1, votedFor: "n1" },
    entries: entries(1, count, 1),
  });
  await store.close();
  return join(directory, LOG_FILE_NAME);
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe("contract", () => {
  logStoreContract(() => ({ open }));
});

describe("refusals", () => {
  test("A directory that is open is refused to a second store.", async () => {
    const store = await open();
    await expect(open()).rejects.toMatchObject({ code: "in-use" });
    await store.persist({ entries: [entry(1, 1)] });
    await store.close();
  });

  test("A directory of another node or cluster is refused by name.", async () => {
    await closedWith(1);
    for (const other of [
      { cluster: "test", nodeId: "n2" },
      { cluster: "prod", nodeId: "n1" },
    ]) {
      const opening = openSqliteLogStore({ directory, identity: other });
      await expect(opening).rejects.toMatchObject({ code: "other-identity" });
      await expect(opening).rejects.toThrow('node "n1" of cluster "test"');
    }
  });

  test("A refused open does not raise the incarnation.", async () => {
    await closedWith(1);
    const other = { cluster: "test", nodeId: "n2" };
    await expect(openSqliteLogStore({ directory, identity: other })).rejects.toThrow();
    const store = await open();
    expect(store.recovered.incarnation).toBe(2);
    await store.close();
  });

  test("A newer schema is refused.", async () => {
    change(await closedWith(1), "PRAGMA user_version = 99");
    await expect(open()).rejects.toMatchObject({ code: "other-schema" });
  });

  test.each([
    ["data", "UPDATE entries SET data = x'00' WHERE log_index = 7"],
    ["term", "UPDATE entries SET term = 2 WHERE log_index = 7"],
    ["kind", "UPDATE entries SET kind = 2 WHERE log_index = 7"],
    ["traceparent", "UPDATE entries SET traceparent = 'x' WHERE log_index = 7"],
  ])("An entry whose %s was changed is refused with its index and file.", async (_column, sql) => {
    const path = await closedWith(10);
    change(path, sql);
    const opening = open();
    await expect(opening).rejects.toMatchObject({ code: "corrupt" });
    await expect(opening).rejects.toThrow(`${path}: entry 7 does not match its checksum`);
  });

  test("A changed vote is refused.", async () => {
    change(await closedWith(1), "UPDATE hard_state SET voted_for = 'n3'");
    await expect(open()).rejects.toMatchObject({ code: "corrupt" });
  });

  test("A missing entry is refused.", async () => {
    change(await closedWith(10), "DELETE FROM entries WHERE log_index = 4");
    await expect(open()).rejects.toThrow("entry 4 is missing");
  });

  test("A file that is no database is refused as corrupt and left as it is.", async () => {
    const path = await closedWith(1);
    writeFileSync(path, "not a database ".repeat(1_000));
    await expect(open()).rejects.toMatchObject({ code: "corrupt" });
    expect(readFileSync(path, "utf8")).toBe("not a database ".repeat(1_000));
  });

  test("A directory that cannot be made is unusable.", async () => {
    const file = join(temporaryFolder("disk"), "file");
    writeFileSync(file, "");
    const opening = openSqliteLogStore({ directory: join(file, "n1"), identity });
    await expect(opening).rejects.toMatchObject({ code: "unusable" });
  });
});

describe("a full disk", () => {
  test("poisons the store: that write and all later ones fail, earlier ones stay.", async () => {
    const store = await open(40);
    let acknowledged = 0;
    let failure: unknown = null;
    while (failure === null && acknowledged < 10_000) {
      const index = acknowledged + 1;
      await store.persist({ entries: [entry(index, 1, "x".repeat(4_000))] }).then(
        () => {
          acknowledged = index;
        },
        (error: unknown) => {
          failure = error;
        },
      );
    }
    expect(failure).toMatchObject({ code: "poisoned" });
    expect(acknowledged).toBeGreaterThan(1);
    // It would fit, but after a failure nothing is acknowledged any more.
    const small = { hardState: { currentTerm: 9, votedFor: null }, entries: [] };
    await expect(store.persist(small)).rejects.toMatchObject({ code: "poisoned" });
    await store.close();

    const again = await open();
    expect(again.recovered.entries).toHaveLength(acknowledged);
    expect(again.recovered.hardState.currentTerm).toBe(0);
    await again.close();
  });

  test("leaves nothing of the writes that shared the failed transaction.", async () => {
    const store = await open(40);
    const outcomes = await Promise.allSettled([
      store.persist({ hardState: { currentTerm: 5, votedFor: "n1" }, entries: [] }),
      store.persist({ entries: [entry(1, 5, "x".repeat(400_000))] }),
      store.persist({ entries: [entry(2, 5)] }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    await store.close();
    const again = await open();
    expect(again.recovered.hardState.currentTerm).toBe(0);
    expect(again.recovered.entries).toEqual([]);
    await again.close();
  });
});

test("Only the owner may read the directory and the files in it.", async () => {
  const store = await open();
  await store.persist({ entries: [entry(1, 1)] });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  for (const name of [LOG_FILE_NAME, `${LOG_FILE_NAME}-wal`]) {
    expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
  }
  await store.close();
});

test("The event loop turns while the disk works.", async () => {
  const store = await open();
  let turns = 0;
  let isWriting = true;
  const turn = (): void => {
    turns += 1;
    if (isWriting) setImmediate(turn);
  };
  setImmediate(turn);
  const big = entry(1, 1, "x".repeat(8_000_000));
  await store.persist({ entries: [big] });
  isWriting = false;
  expect(turns).toBeGreaterThan(3);
  await store.close();
});
