// The operator's commands against a gateway: what they print, and how they end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, jest, test } from "@jest/globals";
import { packageRoot } from "../../../deploy/package-root.ts";
import { AdministerRefused_Reason as Reason } from "../../../protos/gen/node/v1/exchange.ts";
import { type Ran, runCli } from "../../support/cli.ts";
import { type Edge, startEdge } from "../../support/edge.ts";

jest.setTimeout(60_000);

let edge: Edge;

beforeEach(async () => {
  edge = await startEdge();
});

function run(...words: string[]): Promise<Ran> {
  return runCli([...words, "--address", edge.address]);
}

/** The table's rows, each by its columns. */
function cells(stdout: string): string[][] {
  return stdout.split("\n").map((line) => line.split(/ {2,}/));
}

describe("cluster status", () => {
  test("shows the quorum, its nodes and counters; status is the same", async () => {
    const { membership } = edge.quorum;
    membership.voters.add("n2");
    membership.waiting.add("n4");
    edge.quorum.apply({ kind: "tick" });
    const shown = await run("cluster", "status");
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    const rows = cells(shown.stdout);
    expect(rows).toContainEqual(["leader", "solo, term 1"]);
    expect(rows).toContainEqual(["log", "from 1, snapshot up to 0"]);
    expect(rows).toContainEqual(["waiting", "n4"]);
    expect(rows).toContainEqual(["n2", "0a1b2c3d", "FOLLOWER", "voter", "1", "0", "5 ms", "1"]);
    expect(rows).toContainEqual(["solo", "0a1b2c3d", "LEADER", "voter", "1", "0", "-", "1"]);
    expect((await run("status")).stdout).toBe(shown.stdout);
  });

  test("as JSON is one document with the protocol's fields", async () => {
    const { stdout } = await run("cluster", "status", "--output", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      leaderId: "solo",
      firstLogIndex: 1,
      nodes: [{ id: "solo", role: "LEADER", isVoter: true }],
    });
  });
});

describe("cluster add", () => {
  test("waits until the nodes vote and tells on stderr how far they are", async () => {
    for (const id of ["n4", "n5"]) edge.quorum.membership.waiting.add(id);
    const { code, stdout, stderr } = await run("cluster", "add", "n4", "n5");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "n4  voter\nn5  voter\n" });
    expect(stderr).toBe("n4: learner, fetches a snapshot\nn5: learner, fetches a snapshot\n");
  });

  test("with --no-wait leaves them learners", async () => {
    edge.quorum.membership.waiting.add("n4");
    const { stdout } = await run("cluster", "add", "n4", "--no-wait", "-o", "json");
    expect(JSON.parse(stdout)).toEqual({ nodeIds: ["n4"], state: "learner" });
    expect([...edge.quorum.membership.learners]).toEqual(["n4"]);
  });

  test("says what is missing, on stderr, with the code of a wrong request", async () => {
    const { code, stdout, stderr } = await run("cluster", "add", "n9");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/no node "n9" waits to join: start it .* \(NODE_UNKNOWN\)/);
  });
});

describe("cluster remove", () => {
  test("without a terminal does nothing unless --yes is said", async () => {
    edge.quorum.membership.voters.add("n2");
    const refused = await run("cluster", "remove", "n2");
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/takes n2 out of the quorum.*--yes/);
    expect(edge.quorum.membership.asked).toEqual([]);
    const removed = await run("cluster", "remove", "n2", "--yes");
    expect(removed).toMatchObject({ code: 0, stdout: "n2  removed\n" });
  });
});

describe("cluster transfer", () => {
  test("prints who leads now", async () => {
    edge.quorum.membership.voters.add("n2");
    expect(await run("cluster", "transfer")).toEqual({ code: 0, stdout: "n2\n", stderr: "" });
    const { stdout } = await run("cluster", "transfer", "solo", "--output", "json");
    expect(JSON.parse(stdout)).toEqual({ leaderId: "solo" });
  });

  test("that does not happen is a not-now", async () => {
    edge.quorum.membership.voters.add("n2");
    edge.quorum.membership.refuse({ reason: Reason.REASON_TRANSFER_ABORTED, nodeId: "" });
    const { code, stderr } = await run("cluster", "transfer");
    expect(code).toBe(4);
    expect(stderr).toMatch(/node "n2" did not take over .* \(TRANSFER_ABORTED\)/);
  });
});

test("cluster snapshot prints what the snapshot stands for", async () => {
  edge.quorum.apply({ kind: "tick" });
  const { code, stdout } = await run("cluster", "snapshot");
  expect(code).toBe(0);
  expect(cells(stdout)).toContainEqual(["index", "1"]);
});

describe("ledger verify", () => {
  test("prints each node's hash, and succeeds if all are the same", async () => {
    edge.quorum.membership.voters.add("n2");
    const { code, stdout } = await run("ledger", "verify");
    expect(code).toBe(0);
    const rows = cells(stdout);
    const [, , hash] = rows;
    expect(rows.filter((row) => row[2] === "same").map(([id]) => id)).toEqual(["solo", "n2"]);
    expect(hash).toBeDefined();
    expect((await run("cluster", "verify")).stdout).toBe(stdout);
  });

  test.each([
    ["different", "00112233445566ff"],
    ["silent", ""],
  ])("ends with 1 if one is %s", async (verdict, hash) => {
    edge.quorum.membership.voters.add("n2");
    edge.quorum.membership.odd.set("n2", hash);
    const { code, stdout } = await run("ledger", "verify");
    expect(code).toBe(1);
    expect(cells(stdout)).toContainEqual(["n2", hash === "" ? "-" : hash, verdict]);
    const json = await run("ledger", "verify", "--output", "json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      isSame: false,
      nodes: [{ verdict: "same" }, { nodeId: "n2", hash, verdict }],
    });
  });
});

describe("ledger tail", () => {
  test("prints one entry a line, in both forms", async () => {
    for (const leader of ["n1", "n2"]) edge.quorum.apply({ kind: "open-term", leader });
    const shown = await run("ledger", "tail");
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(shown.stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^ +1 +1 {2}\S+Z {2}open-term +\{"leader":"n1"\}$/),
      expect.stringMatching(/^ +2 +1 {2}\S+Z {2}open-term +\{"leader":"n2"\}$/),
    ]);
    const { stdout } = await run("ledger", "tail", "--from", "2", "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({ index: 2, detail: { leader: "n2" } });
  });

  test("of a compacted entry names the first that is there", async () => {
    edge.quorum.apply({ kind: "tick" });
    edge.quorum.fulfil({ $case: "takeSnapshot", value: {} });
    const { code, stderr } = await run("ledger", "tail", "--from", "1");
    expect(code).toBe(2);
    expect(stderr).toMatch(/the log begins with 2 \(LOG_COMPACTED\)/);
  });

  test("that follows prints what comes, and ends quietly when nobody reads on", async () => {
    edge.quorum.apply({ kind: "open-term", leader: "first" });
    const cli = join(packageRoot(), "deploy", "cli.ts");
    const words = ["ledger", "tail", "--follow", "--address", edge.address];
    const child = spawn(process.execPath, [cli, ...words], {
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const stderr = text(child.stderr);
    const closed = once(child, "close") as Promise<[number | null]>;
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    expect(first.toString()).toContain('{"leader":"first"}');
    edge.quorum.apply({ kind: "open-term", leader: "second" });
    const [second] = (await once(child.stdout, "data")) as [Buffer];
    expect(second.toString()).toContain('{"leader":"second"}');
    child.stdout.destroy();
    edge.quorum.apply({ kind: "open-term", leader: "third" });
    const [code] = await closed;
    expect({ code, stderr: await stderr }).toEqual({ code: 0, stderr: "" });
  });
});
