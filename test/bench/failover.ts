// How long nobody is accepted after the leader is killed with kill -9.
//
// Guarantees: each sample runs from before the signal to the first OK of a SubmitJob that began
// after it; probes begin at a fixed pace whatever becomes of the earlier ones. Before each kill
// all three nodes are up and hold all that is committed. Bounded by count and by time.
// Does not measure: failover under load, nor of a broker; probes are the only traffic.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { NodeRole } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import type { LocalStack } from "../support/stack.ts";
import { type Figure, latencyFigure } from "./figure.ts";
import { readingSpec } from "./throughput.ts";

export interface FailoverOptions {
  readonly stack: LocalStack;
  readonly connection: JobsConnection;
  readonly kills: number;
  /** No further kill after this. */
  readonly timeMsMax: number;
}

/** The resolution of the samples. */
const PROBE_EVERY_MS = 5;
const PROBE_TIMEOUT_MS = 1_000;
const ACCEPT_TIMEOUT_MS = 30_000;
const CATCH_UP_TIMEOUT_MS = 30_000;
const LOOK_MS = 50;
/** A follower that was heard of this recently is there: five heartbeats. */
const RECENT_MS = 500;
const CALL_TIMEOUT_MS = 10_000;

export async function measureFailover(options: FailoverOptions): Promise<Figure[]> {
  const { stack, connection } = options;
  const endMs = performance.now() + options.timeMsMax;
  const samplesMs: number[] = [];
  let failures = 0;
  for (let kill = 0; kill < options.kills && performance.now() < endMs; kill += 1) {
    const leader = await untilAllAreUp(connection.cluster);
    const killedMs = performance.now();
    const deadPid = stack.kill(leader, "SIGKILL");
    const acceptedMs = await firstAccepted(connection.jobs);
    if (acceptedMs === null) failures += 1;
    else samplesMs.push(acceptedMs - killedMs);
    await stack.restarted(leader, deadPid);
  }
  return [latencyFigure("kill -9 of the leader to the next accepted job", samplesMs, failures)];
}

/** When the first probe was accepted, or null. Resolves when every probe has ended. */
async function firstAccepted(jobs: JobsConnection["jobs"]): Promise<number | null> {
  const untilMs = performance.now() + ACCEPT_TIMEOUT_MS;
  const probes: Promise<void>[] = [];
  let acceptedMs: number | null = null;
  const probe = async (number: number): Promise<void> => {
    try {
      const job = readingSpec(number, randomUUID());
      await jobs.submitJob({ job }, { timeoutMs: PROBE_TIMEOUT_MS });
      acceptedMs ??= performance.now();
    } catch (error) {
      // Refusals are what a failover consists of; anything else is our bug.
      if (PipelineError.from(error).code === "INTERNAL") throw error;
    }
  };
  while (acceptedMs === null && performance.now() < untilMs) {
    probes.push(probe(probes.length));
    await delay(PROBE_EVERY_MS);
  }
  await Promise.all(probes);
  return acceptedMs;
}

/** Resolves with the leader's id. */
async function untilAllAreUp(cluster: JobsConnection["cluster"]): Promise<string> {
  const untilMs = performance.now() + CATCH_UP_TIMEOUT_MS;
  for (;;) {
    const { leaderId, commitIndex, nodes } = await cluster.getCluster(
      {},
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    const isUp = nodes.every(
      ({ role, matchIndex, lastContactMs }) =>
        role === NodeRole.NODE_ROLE_LEADER ||
        (matchIndex >= commitIndex && lastContactMs <= RECENT_MS),
    );
    if (isUp) return leaderId;
    if (performance.now() > untilMs) throw new Error("a killed node did not catch up");
    await delay(LOOK_MS);
  }
}
