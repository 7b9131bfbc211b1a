// The commands about queues against a gateway: what they print, and how they end.

import { beforeAll, expect, jest, test } from "@jest/globals";
import { type Ran, runCli } from "../../support/cli.ts";
import { type Edge, startEdge } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(60_000);

let edge: Edge;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  for (let n = 0; n < 3; n += 1) await edge.jobs.submitJob({ job: jobSpec({ kind: "idle" }) });
});

function run(...words: string[]): Promise<Ran> {
  return runCli(["queue", ...words, "--address", edge.address]);
}

test("configure, pause and resume show the queue as it is now", async () => {
  const limits = ["--max-running", "2", "--rate", "100/1m", "--max-waiting", "9"];
  const configured = await run("configure", "default", ...limits);
  expect(configured).toMatchObject({ code: 0, stderr: "" });
  expect(configured.stdout).toMatch("2 running, 100 starts in 60 s, 9 waiting");
  expect((await run("pause", "default")).stdout).toMatch(/state +paused/);
  const resumed = await run("resume", "default", "--output", "json");
  expect(JSON.parse(resumed.stdout)).toMatchObject({ name: "default", paused: false });
});

test("list has a row a queue and one for all", async () => {
  const { code, stdout } = await run("list");
  expect(code).toBe(0);
  const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
  expect(rows[0]?.slice(0, 4)).toEqual(["QUEUE", "QUEUED", "HELD", "RUNNING"]);
  expect(rows[1]?.slice(0, 5)).toEqual(["default", "3", "0", "0", "0"]);
  expect(rows[2]?.[0]).toBe("*");
});

test("drain asks before, and says how many it has cancelled", async () => {
  const asked = await run("drain", "default");
  expect(asked.code).toBe(2);
  expect(asked.stderr).toMatch("--yes");
  const drained = await run("drain", "default", "--yes");
  expect(drained).toMatchObject({ code: 0, stdout: "3 jobs of default cancelled\n" });
});

test("a wait that is over says what the job waits for", async () => {
  const submit = (...more: string[]) =>
    runCli(["submit", "idle", "--wait", "--timeout", "1", ...more, "--address", edge.address]);
  const late = await submit();
  expect(late.code).toBe(124);
  expect(late.stderr).toMatch(/j-\d+ is QUEUED and waits for a worker of queue default: does one/);
  expect((await submit("--delay", "1h")).stderr).toMatch(/is SCHEDULED for 2/);
  await run("pause", "default");
  expect((await submit()).stderr).toMatch(/is QUEUED and waits for its queue/);
});

test.each([
  [["configure", "default"], "nothing to set"],
  [["configure", "default", "--rate", "often"], "not such as 100/1m"],
  [["pause", "a:b"], "is not a name"],
])("%j is refused with what is wrong", async (words, message) => {
  const { code, stdout, stderr } = await run(...words);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(message);
});
