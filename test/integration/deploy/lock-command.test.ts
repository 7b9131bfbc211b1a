// quorumq lock list and lock run, against a gateway.

import { watch } from "node:fs";
import { join } from "node:path";
import { expect, jest, test } from "@jest/globals";
import { durationOf } from "../../../transport/result-codec.ts";
import { runCli } from "../../support/cli.ts";
import { startEdge } from "../../support/edge.ts";
import { temporaryFolder } from "../../support/folder.ts";

jest.setTimeout(60_000);

const edge = await startEdge();
const { quorum } = edge;
const run = (...words: string[]) =>
  runCli([words[0] ?? "", words[1] ?? "", "--address", edge.address, ...words.slice(2)]);
const PRINT = "process.stdout.write(process.env.QUORUMQ_FENCING_TOKEN)";

function acquire(keys: string[], owner: string) {
  return edge.locks.acquireLock({
    keys,
    owner,
    requestId: "",
    ttl: durationOf(60_000),
    wait: undefined,
  });
}

test("lock list shows keys, holders and how many wait, on one page or many", async () => {
  const { fencingToken } = await acquire(["a", "b"], "ada");
  await acquire(["c"], "bob");
  const { code, stdout } = await run("lock", "list");
  expect(code).toBe(0);
  const rows = stdout.split("\n").map((line) => line.split(/ {2,}/).slice(0, 4));
  expect(rows.slice(0, 3)).toEqual([
    ["KEY", "HOLDER", "OWNER", "TOKEN"],
    ["a", `l-${fencingToken}`, "ada", String(fencingToken)],
    ["b", `l-${fencingToken}`, "ada", String(fencingToken)],
  ]);
  const json = await run("lock", "list", "--key", "c", "--output", "json");
  expect(JSON.parse(json.stdout)).toMatchObject({ locks: [{ key: "c", owner: "bob", jobId: "" }] });
});

test("lock run gives the command the token, ends as it ends, and lets the lock go", async () => {
  const words = ["--key", "d", "--key", "e", "--", process.execPath, "-e"];
  const ran = await run("lock", "run", ...words, `${PRINT}; process.exitCode = 7`);
  expect(ran).toMatchObject({ code: 7, stderr: "" });
  expect(Number(ran.stdout)).toBeGreaterThan(0);
  expect(quorum.ledger.holders.has("d")).toBe(false);
});

test("lock run starts nothing when the key is held, and names the holder", async () => {
  await acquire(["f"], "carol");
  const ran = await run("lock", "run", "--key", "f", "--", process.execPath, "-e", PRINT);
  expect(ran).toMatchObject({ code: 4, stdout: "" });
  expect(ran.stderr).toContain("carol");
});

test("lock run ends the command when the lock is lost", async () => {
  const folder = temporaryFolder("lock-run");
  const begun = new Promise<void>((resolve) => {
    const watcher = watch(folder, () => {
      watcher.close();
      resolve();
    });
  });
  const file = JSON.stringify(join(folder, "begun"));
  const forever = `setInterval(() => undefined, 1000); fs.writeFileSync(${file}, "")`;
  const ended = run(
    "lock",
    "run",
    "--key",
    "g",
    "--ttl",
    "0.5",
    "--",
    process.execPath,
    "-e",
    forever,
  );
  await begun;
  quorum.advance(60_000);
  const ran = await ended;
  expect(ran.code).toBe(4);
  expect(ran.stderr).toContain("the lock is lost");
});
