// Many callers at the same moment, through two gateways and a console over one quorum.

import { beforeAll, expect, jest, test } from "@jest/globals";
import { grpcDoor, httpDoor } from "../../chaos/race/door.ts";
import { raceKey } from "../../chaos/race/key-race.ts";
import { raceWaits } from "../../chaos/race/wait-race.ts";
import { type Edge, startEdge } from "../../support/edge.ts";
import { startHttpEdge } from "../../support/http-edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { runTinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(60_000);

let edge: Edge;
let doors: ReturnType<typeof grpcDoor>[];

beforeAll(async () => {
  const quorum = new SoloQuorum();
  edge = await startEdge(quorum);
  const other = await startEdge(quorum);
  const { url } = await startHttpEdge(quorum);
  await runTinyExecutor(quorum, { echo: (input) => ({ result: input }) });
  doors = [grpcDoor("gateway 1", edge), grpcDoor("gateway 2", other), httpDoor("console", url)];
});

test("no wait or watch around short jobs hangs, misses the end or repeats a change", async () => {
  const report = await raceWaits({
    doors,
    count: 300,
    inflightMax: 100,
    seed: 1,
    timeoutMs: 30_000,
    specOf: () => jobSpec(),
  });
  expect(report.failures).toEqual([]);
  // Every way was taken.
  expect(Object.keys(report.calls)).toHaveLength(9);
  expect(report.changesSeen).toBeGreaterThanOrEqual(300);
});

test("one key submitted everywhere at once is one job, also long after its end", async () => {
  const report = await raceKey({
    doors,
    connection: edge,
    count: 150,
    spec: jobSpec(),
    untilGone: () => Promise.resolve(),
  });
  expect(report).toMatchObject({ submissions: 300, firsts: 1, attempts: 1, failures: [] });
});
