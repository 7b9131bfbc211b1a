// The benchmark itself, as short as it goes, so that it cannot rot: it runs every section for real
// and reports every figure. How quick anything was is not looked at.

import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { type BenchReport, runBench, SECTIONS } from "./bench.ts";
import type { Figure } from "./figure.ts";
import { linesOf } from "./table.ts";

jest.setTimeout(180_000);

const said: string[] = [];
let report: BenchReport;

beforeAll(async () => {
  report = await runBench({
    sections: SECTIONS,
    seconds: 0.3,
    kills: 1,
    leaseMs: 4_000,
    nodes: 3,
    mebibytes: 1,
    entries: 20_000,
    jobs: 2_000,
    concurrency: 8,
    profileDir: null,
    report: (line) => said.push(line),
  });
});

/** Samples, whichever kind of figure it is. */
function countOf(figure: Figure): number {
  if (figure.kind === "amount") return Math.ceil(figure.amount);
  return figure.kind === "rate" ? figure.count : figure.latencyMs.count;
}

describe("a short run of the benchmark", () => {
  test("says what it is doing", () => {
    expect(said.filter((line) => !line.startsWith("{"))).toEqual([
      "starting a stack",
      "measuring latency",
      "measuring throughput",
      "measuring failover",
      "measuring snapshot",
      "measuring limits",
      "measuring recovery",
      "measuring million",
      "measuring bare BullMQ",
    ]);
  });

  test("has every figure of every section, from samples, without failures", () => {
    // How large a snapshot is depends on what the sections before it have submitted.
    const names = SECTIONS.map((section) =>
      report.figures[section]?.map(({ what }) => what.replace(/\d+ MiB/, "some MiB")),
    );
    expect(names).toEqual([
      ["SayHello, 1 in flight", "SayHello, 64 in flight"],
      ["SubmitJobs accepted, window 512", "SubmitJobs recorded, of the same"],
      ["kill -9 of the leader to the next accepted job"],
      [
        "a wiped node votes again behind a snapshot of some MiB",
        "jobs accepted meanwhile",
        "elections meanwhile",
        "restart behind a snapshot of 20000 entries, some MiB",
      ],
      [
        "bare BullMQ add to completed, 1 in flight",
        "bare BullMQ add to completed, 64 in flight",
        "bare BullMQ added, addBulk of 100",
        "bare BullMQ completed, of the same",
        "bare BullMQ added, single adds, 512 in flight",
        "bare BullMQ completed, of the same",
      ],
      [
        "SubmitJobs accepted, window 512, no limits",
        "SubmitJobs recorded, of the same, no limits",
        "SubmitJobs accepted, window 512, 3 at a time of 100 keys",
        "SubmitJobs recorded, of the same, 3 at a time of 100 keys",
      ],
      ["kill -9 of a worker until its jobs have run elsewhere, lease 4 s"],
      [
        "accepted with an empty ledger",
        "accepted with 2000 jobs waiting",
        "ratio of the two",
        "filling with 2000 jobs waiting",
        "a read of the leader meanwhile",
        "ListJobs, first page, all, 2000 jobs waiting",
        "ListJobs, first page, state FAILED, which none is in, 2000 jobs waiting",
        "ListJobs, first page, state, kind and queue, 2000 jobs waiting",
        "memory of a node with 2000 jobs waiting",
        "disk of a node with 2000 jobs waiting",
        "snapshot with 2000 jobs waiting",
        "kill -9 of a follower until it follows again",
        "put back into Redis after FLUSHALL",
        "a read of the leader during that",
        "elections meanwhile",
      ],
    ]);
    const figures = Object.values(report.figures).flat();
    // A follower that is wiped and comes back deposes nobody, unless the machine is very busy.
    const counted = figures.filter(({ what }) => what !== "elections meanwhile");
    expect(counted.filter((figure) => countOf(figure) < 1)).toEqual([]);
    expect(figures.filter(({ failures }) => failures !== 0)).toEqual([]);
  });

  test("orders its percentiles and records every job that it saw accepted", () => {
    for (const figure of Object.values(report.figures).flat()) {
      if (figure.kind !== "latency") continue;
      const { min, p50, p99, max } = figure.latencyMs;
      expect([min, p50, p99, max]).toEqual([min, p50, p99, max].toSorted((a, b) => a - b));
    }
    const [accepted, recorded] = report.figures.throughput ?? [];
    expect(recorded).toMatchObject({ count: (accepted?.kind === "rate" && accepted.count) || -1 });
  });

  test("names the machine and what ran on it", () => {
    const { machine } = report;
    expect(machine.cores).toBeGreaterThan(0);
    expect(machine.fsyncMs).toBeGreaterThan(0);
    for (const version of [machine.node, machine.bullmq, machine.redis, machine.rabbitmq]) {
      expect(version).toMatch(/^\d+\.\d+/);
    }
  });

  test("prints a row a figure, and what is not measured", () => {
    const lines = linesOf(report);
    for (const { what } of Object.values(report.figures).flat()) {
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${what}[ :]`)));
    }
    expect(lines.join("\n")).toContain("Not measured:");
  });
});
