// `quorumq ledger verify --data-dir` on the files of a real store: sound, damaged, or in use.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, jest, test } from "@jest/globals";
import type { CommandBody } from "../../../ledger/command.ts";
import { apply, createLedger, hash, type Ledger } from "../../../ledger/ledger.ts";
import { type Entry, EntryKind } from "../../../raft/message.ts";
import { decodeCommand, encodeCommand } from "../../../transport/command-codec.ts";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { LOG_FILE_NAME } from "../../../transport/disk/store-files.ts";
import type { LogStore } from "../../../transport/log-store.ts";
import { encodeSnapshot } from "../../../transport/snapshot-codec.ts";
import { runCli } from "../../support/cli.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { CONFIGURATION, stageAndVerify, sumOf } from "../../support/snapshot-bytes.ts";
import { kindOf, specOf } from "../../unit/ledger/world.ts";

jest.setTimeout(60_000);

const SNAPSHOT_INDEX = 30;
const LAST_INDEX = 50;

let directory = "";

beforeEach(() => {
  directory = join(temporaryFolder("verify"), "n1");
});

function openStore(): Promise<LogStore> {
  return openSqliteLogStore({ directory, identity: { cluster: "test", nodeId: "n1" } });
}

function entry(index: number, body: CommandBody): Entry {
  const data = encodeCommand({ timeMs: index, random: 0, body });
  return { index, term: 1, kind: EntryKind.Command, data, traceparent: "" };
}

const log: readonly Entry[] = Array.from({ length: LAST_INDEX }, (_, at) =>
  at === 0
    ? entry(1, { kind: "register-kinds", kinds: [kindOf()] })
    : entry(at + 1, { kind: "submit-jobs", jobs: [specOf({ idempotencyKey: `key ${at}` })] }),
);

function ledgerAt(index: number): Ledger {
  const ledger = createLedger();
  for (const one of log.slice(0, index)) apply(ledger, one.index, decodeCommand(one.data));
  return ledger;
}

/** A store with a snapshot, and a log that begins a little before it. */
async function writeStore(): Promise<void> {
  const store = await openStore();
  await store.persist({ hardState: { currentTerm: 1, votedFor: null }, entries: log });
  const data = Buffer.concat([...encodeSnapshot(ledgerAt(SNAPSHOT_INDEX))]);
  const snapshot = {
    ...{ index: SNAPSHOT_INDEX, term: 1, configuration: CONFIGURATION },
    ...sumOf(data),
  };
  expect(await stageAndVerify(store, { snapshot, data })).toBe(true);
  const compactTo = { index: SNAPSHOT_INDEX - 10, term: 1 };
  await store.persist({ snapshot, compactTo, entries: [] });
  await store.close();
}

describe("a node's files", () => {
  test("that are sound give their index, entries, jobs and hash", async () => {
    await writeStore();
    const words = ["ledger", "verify", "--data-dir", directory, "--output", "json"];
    const { code, stdout, stderr } = await runCli(words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      node: "n1",
      store: expect.stringMatching(/^[0-9a-f]{8}$/),
      index: LAST_INDEX,
      snapshotIndex: SNAPSHOT_INDEX,
      entries: LAST_INDEX - SNAPSHOT_INDEX + 10,
      applied: LAST_INDEX - SNAPSHOT_INDEX,
      unreadable: 0,
      jobs: LAST_INDEX - 1,
      hash: hash(ledgerAt(LAST_INDEX)),
    });
  });

  test("are checked up to the entry asked for, and not changed", async () => {
    await writeStore();
    const before = readFileSync(join(directory, LOG_FILE_NAME));
    const words = ["ledger", "verify", "--data-dir", directory, "--to", "40"];
    const { code, stdout } = await runCli(words);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^index +40$/m);
    expect(stdout).toContain(hash(ledgerAt(40)));
    expect(readFileSync(join(directory, LOG_FILE_NAME)).equals(before)).toBe(true);
    const far = await runCli(["ledger", "verify", "--data-dir", directory, "--to", "51"]);
    expect(far.code).toBe(2);
    expect(far.stderr).toMatch(/gives entries 30 to 50/);
  });

  test("that are damaged end it with 1 and one message", async () => {
    await writeStore();
    const path = join(directory, LOG_FILE_NAME);
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf("key 45");
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0;
    writeFileSync(path, bytes);
    const { code, stdout, stderr } = await runCli(["ledger", "verify", "--data-dir", directory]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^quorumq: \S+ is damaged: .*\n$/);
  });

  test("that a node has open are left alone", async () => {
    await writeStore();
    const store = await openStore();
    const { code, stderr } = await runCli(["ledger", "verify", "--data-dir", directory]);
    await store.close();
    expect(code).toBe(2);
    expect(stderr).toMatch(/a node runs on/);
  });
});
