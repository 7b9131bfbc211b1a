// One run of the benchmark: a real stack for quorumq's figures, then bare BullMQ with the stack
// gone, so that each has the machine to itself.
//
// Guarantees: loopback only; bounded in time; what it starts is stopped and its folder removed,
// also when a section fails; asserts no timing.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectJobs } from "../../transport/grpc/client.ts";
import { LocalStack } from "../support/stack.ts";
import { measureBullmq } from "./bullmq.ts";
import { measureFailover } from "./failover.ts";
import type { Figure } from "./figure.ts";
import { measureLatency } from "./latency.ts";
import { measureLimits } from "./limits.ts";
import { currentLoad, describeMachine, type Machine, rabbitmqVersion } from "./machine.ts";
import { measureMillion } from "./million.ts";
import { measureRecovery } from "./recovery.ts";
import { measureSnapshot } from "./snapshot.ts";
import { measureThroughput } from "./throughput.ts";

/** Of a usual run. The others are asked for; "million" and "recovery" take minutes. */
export const USUAL_SECTIONS = [
  ...(["latency", "throughput", "failover", "snapshot", "bullmq"] as const),
] as const;
export const SECTIONS = [...USUAL_SECTIONS, "limits", "recovery", "million"] as const;
export type Section = (typeof SECTIONS)[number];

export interface BenchOptions {
  readonly sections: readonly Section[];
  /** Each row's measured time; latencies are warmed up a quarter of it before. */
  readonly seconds: number;
  readonly kills: number;
  /** Of the workers' attempts. */
  readonly leaseMs: number;
  /** Members of the quorum. */
  readonly nodes: number;
  /** Of the snapshot that a wiped node is caught up with, and of the log of the restart. */
  readonly mebibytes: number;
  readonly entries: number;
  /** That wait, in the section of that name. */
  readonly jobs: number;
  /** Of each of the stack's two workers, and of each of bare BullMQ's two. */
  readonly concurrency: number;
  /** Where each process of the stack leaves a .cpuprofile when it ends; null: nowhere. */
  readonly profileDir: string | null;
  readonly report: (line: string) => void;
}

export interface BenchReport {
  readonly machine: Machine;
  readonly options: Pick<BenchOptions, "sections" | "seconds" | "kills" | "nodes" | "concurrency">;
  readonly figures: Readonly<Partial<Record<Section, readonly Figure[]>>>;
  readonly tookSeconds: number;
}

type Measured = Partial<Record<Section, readonly Figure[]>>;

const WORKERS = 2;
/** About a second and a half a kill, most of it the restart of what was killed. */
const FAILOVER_MS_MAX = 900_000;

export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const beganMs = performance.now();
  const loadBefore = currentLoad();
  const dir = mkdtempSync(join(tmpdir(), "quorumq-bench-"));
  try {
    const figures: Measured = {};
    const rabbitmq = await measureStack(dir, options, figures);
    if (options.sections.includes("bullmq")) {
      options.report("measuring bare BullMQ");
      figures.bullmq = await measureBare(dir, options);
    }
    const { sections, seconds, kills, nodes, concurrency } = options;
    return {
      machine: await describeMachine(dir, loadBefore, rabbitmq),
      options: { sections, seconds, kills, nodes, concurrency },
      figures,
      tookSeconds: Math.round((performance.now() - beganMs) / 1_000),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Resolves with RabbitMQ's version, or null when no section needs a stack. */
async function measureStack(
  dir: string,
  options: BenchOptions,
  figures: Measured,
): Promise<string | null> {
  const sections = options.sections.filter((section) => section !== "bullmq");
  if (sections.length === 0) return null;
  options.report("starting a stack");
  const stack = await LocalStack.start({
    dir: join(dir, "stack"),
    flags: [
      ...["--log-level", "warn", "--concurrency", String(options.concurrency)],
      ...["--nodes", String(options.nodes), "--lease-ms", String(options.leaseMs)],
    ],
    files: [join(import.meta.dirname, "recovery-jobs.ts")],
    env: profiling(options.profileDir),
  });
  try {
    for (const section of sections) {
      options.report(`measuring ${section}`);
      figures[section] = await measureSection(section, stack, dir, options);
    }
    return await rabbitmqVersion(stack);
  } finally {
    await stack.stop();
  }
}

async function measureSection(
  section: Exclude<Section, "bullmq">,
  stack: LocalStack,
  dir: string,
  options: BenchOptions,
): Promise<readonly Figure[]> {
  const connection = connectJobs({ address: stack.address });
  const { warmUpMs, measureMs } = timesOf(options);
  try {
    switch (section) {
      case "latency":
        return await measureLatency({ greeter: connection.greeter, warmUpMs, measureMs });
      case "limits":
        return await measureLimits({ connection, measureMs });
      case "throughput":
        return await measureThroughput({ connection, measureMs });
      case "failover":
        return await measureFailover({
          stack,
          connection,
          kills: options.kills,
          timeMsMax: FAILOVER_MS_MAX,
        });
      case "recovery": {
        const { kills, leaseMs } = options;
        const timeMsMax = FAILOVER_MS_MAX;
        return await measureRecovery({ stack, connection, kills, leaseMs, timeMsMax });
      }
      case "snapshot": {
        const { mebibytes, entries } = options;
        return await measureSnapshot({ stack, connection, dir, mebibytes, entries });
      }
      case "million":
        return await measureMillion({
          stack,
          connection,
          jobs: options.jobs,
          measureMs,
          report: options.report,
        });
    }
  } finally {
    connection.close();
  }
}

async function measureBare(dir: string, options: BenchOptions): Promise<readonly Figure[]> {
  const redisDir = join(dir, "redis");
  mkdirSync(redisDir);
  const { concurrency } = options;
  return await measureBullmq({
    dir: redisDir,
    workers: WORKERS,
    concurrency,
    ...timesOf(options),
  });
}

function timesOf({ seconds }: BenchOptions): { warmUpMs: number; measureMs: number } {
  return { warmUpMs: seconds * 250, measureMs: seconds * 1_000 };
}

function profiling(profileDir: string | null): Record<string, string> {
  if (profileDir === null) return {};
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDir}` };
}
