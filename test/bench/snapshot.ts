// What a large ledger costs: a node caught up by a snapshot under load, and a restart behind one.
//
// Guarantees: the catch-up runs from the kill -9 of a follower, whose disk is then wiped, until it
// is a voter again, while readings are submitted at a steady pace; elections are counted by the
// term. The restart is that of a node: its store opened and checked, its ledger loaded, in this
// process, from a log whose entries were all applied first. Bounded by time.
// Does not measure: a network; several nodes that fetch at the same time.

import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openNodeDisk } from "../../deploy/node-disk.ts";
import type { GetClusterResponse } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import type { LocalStack } from "../support/stack.ts";
import { type Figure, latencyFigure, rateFigure } from "./figure.ts";
import { writeLongLog } from "./long-log.ts";
import { readingSpec } from "./throughput.ts";

export interface SnapshotOptions {
  readonly stack: LocalStack;
  readonly connection: JobsConnection;
  readonly dir: string;
  readonly mebibytes: number;
  readonly entries: number;
}

const PAYLOAD_BYTES = 200 * 1024;
const MEBIBYTE = 1024 * 1024;
const FILL_INFLIGHT = 16;
const LOAD_EVERY_MS = 5;
const LOOK_MS = 50;
const CALL_TIMEOUT_MS = 60_000;
const CATCH_UP_TIMEOUT_MS = 180_000;
const YEAR_MS = 365 * 24 * 60 * 60 * 1_000;

export async function measureSnapshot(options: SnapshotOptions): Promise<Figure[]> {
  return [...(await measureCatchUp(options)), ...(await measureRestart(options))];
}

async function measureCatchUp(options: SnapshotOptions): Promise<Figure[]> {
  const { stack, connection } = options;
  await fill(options);
  const timeoutMs = CALL_TIMEOUT_MS;
  const { bytes } = await connection.cluster.takeSnapshot({}, { timeoutMs });
  const before = await connection.cluster.getCluster({}, { timeoutMs });
  const victim = before.nodes.find(({ id }) => id !== before.leaderId);
  if (victim === undefined) throw new Error("a cluster of one has nobody to catch up");
  const load = steadyLoad(connection);
  const beganMs = performance.now();
  stack.kill(victim.id, "SIGKILL");
  rmSync(join(stack.dir, "nodes", victim.id), { recursive: true, force: true });
  const after = await untilVoter(connection, victim.id, victim.storeId);
  const tookMs = performance.now() - beganMs;
  const { accepted, refused } = await load();
  const size = Math.round(bytes / MEBIBYTE);
  return [
    latencyFigure(`a wiped node votes again behind a snapshot of ${size} MiB`, [tookMs], 0),
    rateFigure("jobs accepted meanwhile", accepted, tookMs, refused),
    rateFigure("elections meanwhile", after.term - before.term, tookMs),
  ];
}

/** Jobs of next year, so that nobody runs them: the ledger keeps their payloads. */
async function fill({ connection, mebibytes }: SnapshotOptions): Promise<void> {
  const count = Math.ceil((mebibytes * MEBIBYTE) / PAYLOAD_BYTES);
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      const job = largeSpec(next);
      await connection.jobs.submitJob({ job }, { timeoutMs: CALL_TIMEOUT_MS });
    }
  };
  await Promise.all(Array.from({ length: FILL_INFLIGHT }, one));
}

function largeSpec(number: number): JobSpec {
  const reading = { deviceId: `d-${"x".repeat(PAYLOAD_BYTES)}`, at: number, celsius: 1 };
  const runAt = new Date(Date.now() + YEAR_MS);
  return {
    ...readingSpec(number, randomUUID()),
    payload: Buffer.from(JSON.stringify(reading)),
    runAt,
  };
}

/** Returns what ends it. */
function steadyLoad({
  jobs,
}: JobsConnection): () => Promise<{ accepted: number; refused: number }> {
  const ended = new AbortController();
  const calls: Promise<void>[] = [];
  const counts = { accepted: 0, refused: 0 };
  const submit = async (number: number): Promise<void> => {
    try {
      const job = readingSpec(number, randomUUID());
      await jobs.submitJob({ job }, { timeoutMs: CALL_TIMEOUT_MS });
      counts.accepted += 1;
    } catch (error) {
      if (PipelineError.from(error).code === "INTERNAL") throw error;
      counts.refused += 1;
    }
  };
  const loop = (async () => {
    while (!ended.signal.aborted) {
      calls.push(submit(calls.length));
      await delay(LOAD_EVERY_MS);
    }
  })();
  return async () => {
    ended.abort();
    await loop;
    await Promise.all(calls);
    return counts;
  };
}

async function untilVoter(
  { cluster }: JobsConnection,
  id: string,
  oldStoreId: string,
): Promise<GetClusterResponse> {
  const untilMs = performance.now() + CATCH_UP_TIMEOUT_MS;
  for (;;) {
    const view = await cluster.getCluster({}, { timeoutMs: CALL_TIMEOUT_MS });
    const node = view.nodes.find((one) => one.id === id && one.storeId !== oldStoreId);
    if (node?.isVoter === true) return view;
    if (performance.now() > untilMs) throw new Error(`${id} did not catch up`);
    await delay(LOOK_MS);
  }
}

async function measureRestart({ dir, entries }: SnapshotOptions): Promise<Figure[]> {
  const dataDir = join(dir, "long-log");
  const { snapshotBytes } = await writeLongLog({ dataDir, entries });
  const beganMs = performance.now();
  const options = { dataDir, cluster: "bench", nodeId: "n1", logger: silentLogger() };
  const { store, ledger } = await openNodeDisk(options);
  const tookMs = performance.now() - beganMs;
  await store.close();
  if (ledger.appliedIndex !== entries) throw new Error(`the ledger ends at ${ledger.appliedIndex}`);
  const size = Math.round(snapshotBytes / MEBIBYTE);
  const what = `restart behind a snapshot of ${entries} entries, ${size} MiB`;
  return [latencyFigure(what, [tookMs], 0)];
}
