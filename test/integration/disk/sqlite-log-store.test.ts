// SQLite as log store: the contract, and what only a disk can do to us.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "@jest/globals";
import type { Entry } from "../../../raft/message.ts";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import type { LogStore } from "../../../transport/log-store.ts";
import { logStoreContract } from "../../contract/log-store.ts";
import { snapshotStoreContract } from "../../contract/snapshot-store.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { entries, entry, plain } from "../../support/log-entry.ts";
import { makeSnapshot, stageAndVerify, sumOf } from "../../support/snapshot-bytes.ts";

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
  snapshotStoreContract(() => ({ open }));
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

test("A write does not wait for the snapshot chunks that were asked before it.", async () => {
  const store = await open();
  const { snapshot, data } = makeSnapshot(1, 1, 4_000_000);
  const writer = store.openSnapshotWriter(snapshot);
  const done: string[] = [];
  const chunks = Array.from({ length: 400 }, (_, at) =>
    writer.write(at * 10_000, data.subarray(at * 10_000, at * 10_000 + 10_000)),
  );
  await Promise.all([
    Promise.all(chunks).then(() => done.push("chunks")),
    store.persist({ entries: [entry(1, 1)] }).then(() => done.push("write")),
  ]);
  expect(done).toEqual(["write", "chunks"]);
  expect(await writer.verify(snapshot)).toBe(true);
  await store.close();
});

test("Any bytes at all come back as they were.", async () => {
  const store = await open();
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const odd = [every, new Uint8Array(0), every.toReversed(), Uint8Array.of(0), Uint8Array.of(0xc3)];
  const traceparents = [
    "",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    '"\\\n\u0001é',
  ];
  // More than are read at a time, by number and by size.
  const written = Array.from({ length: 10_050 }, (_, at) => ({
    ...entry(at + 1, 1),
    data: odd[at % odd.length] ?? every,
    traceparent: traceparents[at % traceparents.length] ?? "",
  }));
  const large = Array.from({ length: 10 }, (_, at) => ({
    ...entry(10_051 + at, 2),
    data: new Uint8Array(1_500_000).fill(at + 250),
  }));
  await store.persist({ entries: written });
  await store.persist({ entries: large });
  await store.close();
  const again = await open();
  const found = again.recovered.entries;
  expect(plain(found.slice(0, 10_050))).toEqual(plain(written));
  expect(found.slice(10_050).map(sumOfEntry)).toEqual(large.map(sumOfEntry));
  await again.close();
});

function sumOfEntry({ data, ...rest }: Entry): object {
  return { ...rest, ...sumOf(data) };
}

test("The recovered entries are let go of once the log is compacted.", async () => {
  await closedWith(5);
  const store = await open();
  const { recovered } = store;
  expect(recovered.entries).toHaveLength(5);
  await store.persist({ entries: [entry(6, 1)] });
  expect(store.recovered).toBe(recovered);
  const made = makeSnapshot(4, 1, 10);
  expect(await stageAndVerify(store, made)).toBe(true);
  await store.persist({ snapshot: made.snapshot, compactTo: { index: 3, term: 1 }, entries: [] });
  expect(store.recovered).toEqual({ ...recovered, entries: [] });
  await store.close();
});
