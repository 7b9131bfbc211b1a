// The commands about schedules against a gateway: what they print, and how they end.

import { beforeAll, expect, jest, test } from "@jest/globals";
import { type Ran, runCli } from "../../support/cli.ts";
import { type Edge, startEdge } from "../../support/edge.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(60_000);

let edge: Edge;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
});

function run(...words: string[]): Promise<Ran> {
  return runCli(["schedule", ...words, "--address", edge.address]);
}

/** The rows, each by its columns. */
function cells(stdout: string): string[][] {
  return stdout.split("\n").map((line) => line.split(/ {2,}/));
}

test("create, get, list, pause and delete tell how it stands", async () => {
  const cron = ["--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--missed", "once"];
  const created = await run("create", "idle", '{"to":"ada"}', "--id", "nightly", ...cron);
  expect(created).toMatchObject({ code: 0, stderr: "" });
  const rows = cells(created.stdout);
  expect(rows).toContainEqual(["id", "nightly"]);
  expect(rows).toContainEqual(["slots", "30 2 * * * (Europe/Berlin)"]);
  expect(rows).toContainEqual(["missed", "ONCE, after 30 s"]);
  expect(rows).toContainEqual(["payload", '{"to":"ada"}']);
  const again = await run("create", "idle", '{"to":"ada"}', "--id", "nightly", ...cron);
  expect(again).toMatchObject({ code: 0, stderr: "the same schedule was there already\n" });
  await run("create", "idle", "--id", "often", "--every", "1.5m", "--overlap", "queue");
  const listed = await run("list");
  expect(cells(listed.stdout).map(([id, kind, slots]) => [id, kind, slots])).toEqual([
    ["ID", "KIND", "SLOTS"],
    ["nightly", "idle", "30 2 * * * (Europe/Berlin)"],
    ["often", "idle", "every 90 s"],
    ["", undefined, undefined],
  ]);
  const [jobId = ""] = (await run("run", "often", "--key", "once")).stdout.split("\n");
  expect(jobId).toMatch(/^j-[0-9]+$/);
  expect((await run("run", "often", "--key", "once")).stdout).toBe(`${jobId}\n`);
  const job = await runCli(["get", jobId, "--address", edge.address]);
  expect(cells(job.stdout)).toContainEqual(["schedule", "often, by hand"]);
  const busy = await run("run", "often");
  expect(busy.stderr).toContain(`job ${jobId} of schedule "often" has not ended`);
  expect((await run("run", "often", "--beside")).code).toBe(0);
  const often = cells((await run("get", "often")).stdout);
  expect(often).toContainEqual(["open", "2 not ended"]);
  expect(often).toContainEqual(["counts", "0 jobs, 2 by hand"]);
  expect(often.find(([name]) => name === "after that")?.[1]?.split(", ")).toHaveLength(4);
  expect(cells((await run("pause", "often")).stdout)).toContainEqual(["next", "paused"]);
  const shown = await run("get", "often", "-o", "json");
  expect(JSON.parse(shown.stdout)).toMatchObject({
    ...{ id: "often", paused: true, overlap: "QUEUE", job: { kind: "idle", payload: null } },
  });
  expect((await run("delete", "often")).stdout).toBe("deleted often\n");
  expect(await run("delete", "often")).toMatchObject({
    ...{ code: 0, stdout: "there is no schedule often\n" },
  });
});

test("what cannot be right is told with what would be, exit code 2", async () => {
  const cron = await run("create", "idle", "--cron", "61 * * * *");
  expect(cron.code).toBe(2);
  expect(cron.stderr).toContain('schedule.cron is not a cron, got "61 * * * *"');
  const every = await run("create", "idle", "--every", "soon");
  expect(every.code).toBe(2);
  expect(every.stderr).toContain("not a time such as 90s, 5m or 1h");
});
