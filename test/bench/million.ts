// What a million waiting jobs cost: accepting more, a node's memory and disk, lists, snapshots, a
// restart, and bringing all of them back into a Redis that has lost everything.
//
// Guarantees: the jobs are of a kind that no worker takes, so they wait in the ledger and in
// BullMQ; accept rates before and after are measured alike in one run, so their ratio stands also
// on a busy machine. How long the leader makes others wait is seen from outside: a small
// linearizable read every 50 ms, while the work goes on; elections are counted by the term.
// Bounded by time.
// Does not measure: workers beside it; several machines.

import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { clusterName, layoutOf } from "../../deploy/local/layout.ts";
import { JobState } from "../../protos/gen/quorumq/v1/job.ts";
import { openQuorum } from "../../transport/amqp/amqp-quorum.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { queuePrefix } from "../../transport/redis/connection.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import type { LocalStack } from "../support/stack.ts";
import { amountFigure, type Figure, latencyFigure, rateFigure } from "./figure.ts";
import { readingSpec, submitFor } from "./throughput.ts";

export interface MillionOptions {
  readonly stack: LocalStack;
  readonly connection: JobsConnection;
  readonly jobs: number;
  readonly measureMs: number;
  /** What is known already: a run takes minutes, and its last parts may fail. */
  readonly report: (line: string) => void;
}

const KIND = "bench-waiting";
const QUEUE = "bench-waiting";
const BATCH_JOBS = 500;
const FILL_INFLIGHT = 3;
const LISTS = 200;
const LOOK_MS = 50;
const CALL_TIMEOUT_MS = 60_000;
const PATIENCE_MS = 600_000;
const REST_MS = 15_000;
const MEBIBYTE = 1024 * 1024;

export async function measureMillion(options: MillionOptions): Promise<Figure[]> {
  const { stack, connection, jobs, measureMs, report } = options;
  await registerKind(stack);
  // As long as what is measured: code that was not run before is slow.
  await accepted(connection, measureMs);
  const before = await accepted(connection, measureMs);
  const filled = await watched(connection, () => fill(connection, jobs));
  const memory = stack.processes("node").map(({ pid }) => residentBytes(pid));
  // Snapshots come with growth, not with waiting jobs: those of the filling are not counted.
  const bytes = await takeSnapshot(connection);
  await delay(REST_MS);
  const after = await accepted(connection, measureMs);
  const name = `${jobs} jobs waiting`;
  const rates = [
    rateFigure("accepted with an empty ledger", before.count, before.ms, before.refused),
    rateFigure(`accepted with ${name}`, after.count, after.ms, after.refused),
    amountFigure("ratio of the two", after.count / after.ms / (before.count / before.ms), ""),
    rateFigure(`filling with ${name}`, jobs, filled.tookMs),
    latencyFigure("a read of the leader meanwhile", filled.readsMs, filled.failures),
  ];
  for (const figure of rates) report(JSON.stringify(figure));
  const lists = await measureLists(connection, name);
  for (const figure of lists) report(JSON.stringify(figure));
  const disks = stack.processes("node").map(({ id }) => folderBytes(join(stack.dir, "nodes", id)));
  const restartMs = await measureRestart(stack, connection);
  const rebuilt = await watched(connection, () => rebuild(stack, connection));
  return [
    ...rates,
    ...lists,
    amountFigure(`memory of a node with ${name}`, Math.max(...memory) / MEBIBYTE, "MiB"),
    amountFigure(`disk of a node with ${name}`, Math.max(...disks) / MEBIBYTE, "MiB"),
    amountFigure(`snapshot with ${name}`, bytes / MEBIBYTE, "MiB"),
    latencyFigure("kill -9 of a follower until it follows again", [restartMs], 0),
    rateFigure("put back into Redis after FLUSHALL", rebuilt.result, rebuilt.tookMs),
    latencyFigure("a read of the leader during that", rebuilt.readsMs, rebuilt.failures),
    rateFigure("elections meanwhile", filled.elections + rebuilt.elections, rebuilt.tookMs),
  ];
}

/** As a worker that can run the kind, and then leaves for good. */
async function registerKind(stack: LocalStack): Promise<void> {
  const quorum = await openQuorum({
    url: stack.endpoint("amqp"),
    cluster: clusterName(layoutOf(stack.dir)),
    clientId: "bench-registrar",
    role: "worker",
    logger: silentLogger(),
    follow: null,
  });
  const backoff = { initialMs: 1_000, multiplier: 2, maxMs: 60_000, jitter: 0.5 };
  const limits = { maxAttempts: 1, attemptTimeoutMs: 0, totalTimeoutMs: 0 };
  const templates = { lockTemplates: [], concurrencyTemplates: [] };
  const kind = { kind: KIND, queue: QUEUE, backoff, ...limits, ...templates };
  const body = { kind: "register-kinds", kinds: [kind] } as const;
  try {
    const outcome = await quorum.propose(body, { timeoutMs: CALL_TIMEOUT_MS, traceparent: "" });
    if (outcome.kind !== "applied") throw new Error(`the kind is not registered: ${outcome.kind}`);
  } finally {
    await quorum.close();
  }
}

/** A large one may take longer than any call; asked again, the call waits for the same one. */
async function takeSnapshot({ cluster }: JobsConnection): Promise<number> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return (await cluster.takeSnapshot({}, { timeoutMs: CALL_TIMEOUT_MS })).bytes;
    } catch (error) {
      const { code } = PipelineError.from(error);
      if (code !== "DEADLINE_EXCEEDED" || performance.now() > untilMs) throw error;
    }
  }
}

function waitingSpec(number: number) {
  return { ...readingSpec(number, randomUUID()), kind: KIND };
}

async function accepted(connection: JobsConnection, measureMs: number) {
  const beganMs = performance.now();
  const { accepted: count, refused } = await submitFor(measureMs, connection, waitingSpec);
  return { count, refused, ms: performance.now() - beganMs };
}

async function fill({ jobs }: JobsConnection, count: number): Promise<number> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + BATCH_JOBS);
      const batch = Array.from({ length: next - from }, (_, at) => waitingSpec(from + at));
      await jobs.batchSubmitJobs({ jobs: batch }, { timeoutMs: CALL_TIMEOUT_MS });
    }
  };
  await Promise.all(Array.from({ length: FILL_INFLIGHT }, one));
  return count;
}

async function measureLists({ jobs }: JobsConnection, name: string): Promise<Figure[]> {
  const filters = [
    ["all", {}],
    ["state FAILED, which none is in", { state: JobState.JOB_STATE_FAILED }],
    ["state, kind and queue", { state: JobState.JOB_STATE_QUEUED, kind: KIND, queue: QUEUE }],
  ] as const;
  const figures: Figure[] = [];
  for (const [what, filter] of filters) {
    const samplesMs: number[] = [];
    for (let call = 0; call < LISTS; call += 1) {
      const beganMs = performance.now();
      await jobs.listJobs({ ...NO_FILTER, ...filter }, { timeoutMs: CALL_TIMEOUT_MS });
      samplesMs.push(performance.now() - beganMs);
    }
    figures.push(latencyFigure(`ListJobs, first page, ${what}, ${name}`, samplesMs, 0));
  }
  return figures;
}

const NO_FILTER = {
  pageSize: 0,
  pageToken: "",
  state: JobState.JOB_STATE_UNSPECIFIED,
  kind: "",
  queue: "",
  scheduleId: "",
  parentJobId: "",
};

async function measureRestart(stack: LocalStack, { cluster }: JobsConnection): Promise<number> {
  const timeoutMs = CALL_TIMEOUT_MS;
  const before = await cluster.getCluster({}, { timeoutMs });
  const victim = before.nodes.find(({ id }) => id !== before.leaderId);
  if (victim === undefined) throw new Error("a cluster of one has no follower");
  const beganMs = performance.now();
  stack.kill(victim.id, "SIGKILL");
  for (;;) {
    const { nodes, commitIndex } = await cluster.getCluster({}, { timeoutMs });
    const node = nodes.find(({ id }) => id === victim.id);
    const isBack = (node?.incarnation ?? 0) > victim.incarnation;
    if (isBack && (node?.matchIndex ?? 0) >= commitIndex) return performance.now() - beganMs;
    if (performance.now() - beganMs > PATIENCE_MS) throw new Error(`${victim.id} is not back`);
    await delay(LOOK_MS);
  }
}

/** Resolves with how many were put back: all. */
async function rebuild(stack: LocalStack, { cluster }: JobsConnection): Promise<number> {
  const redis = new Redis(stack.endpoint("redis"));
  const key = `${queuePrefix(clusterName(layoutOf(stack.dir)))}:${QUEUE}:prioritized`;
  try {
    const { counts } = await cluster.getCluster({}, { timeoutMs: CALL_TIMEOUT_MS });
    const wanted = counts?.queued ?? 0;
    await redis.flushall();
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const count = await redis.zcard(key);
      if (count >= wanted) return count;
      if (performance.now() > untilMs) throw new Error(`${count} of ${wanted} were put back`);
      await delay(LOOK_MS);
    }
  } finally {
    redis.disconnect();
  }
}

/** What the work takes, and how others fare meanwhile. */
async function watched<T>({ cluster }: JobsConnection, work: () => Promise<T>) {
  const readsMs: number[] = [];
  let failures = 0;
  let isOver = false;
  const term = async () => (await cluster.getCluster({}, { timeoutMs: CALL_TIMEOUT_MS })).term;
  const termBefore = await term();
  const looks = (async () => {
    while (!isOver) {
      const beganMs = performance.now();
      try {
        await term();
        readsMs.push(performance.now() - beganMs);
      } catch {
        // Counted: the report says how many.
        failures += 1;
      }
      await delay(LOOK_MS);
    }
  })();
  const beganMs = performance.now();
  const result = await work();
  const tookMs = performance.now() - beganMs;
  isOver = true;
  await looks;
  return { result, tookMs, readsMs, failures, elections: (await term()) - termBefore };
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

function folderBytes(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
