// A chaos run: steady load on a whole stack, one fault after the other, then the audit.
//
// Guarantees: bounded in time and count; only loopback. Between two faults the cluster has become
// whole: the same members, all voting, in contact and caught up. A fault that does not heal, or
// whose check fails, ends the faults, not the audit. The nodes that it added are ended.

import { setTimeout as delay } from "node:timers/promises";
import { connectJobs } from "../../transport/grpc/client.ts";
import type { LocalStack } from "../support/stack.ts";
import { type Audit, audit } from "./audit.ts";
import { ClientHistory } from "./client-history.ts";
import { clusterNow, insist, storeIdOf, untilWhole } from "./cluster.ts";
import { Dice } from "./dice.ts";
import { ExtraNodes } from "./extra-nodes.ts";
import { clusterOf, type Fault, type World } from "./fault.ts";
import { Load, type LoadReport } from "./load.ts";
import { Parts } from "./parts.ts";
import { ChaosRemoteWorker } from "./remote-worker.ts";

export interface ChaosOptions {
  readonly stack: LocalStack;
  /** What the stack was started with, for nodes that are added to it. */
  readonly nodeEnv: Readonly<Record<string, string>>;
  /** 3, which the stack has, or more, which are added first. */
  readonly nodes: number;
  readonly jobsPerSecond: number;
  /** An end to the crowd before a stalled pipeline (load.ts). */
  readonly callersMax?: number;
  readonly seed: number;
  /** In this order; the run ends with it, or when the time is over. */
  readonly faults: (dice: Dice) => Iterable<Fault>;
  readonly durationMs: number;
  /** Jobs that must be accepted between one fault and the next. */
  readonly jobsBetweenFaults: number;
  readonly report: (line: string) => void;
}

export interface FaultReport {
  readonly fault: string;
  readonly victim: string;
  /** From the strike to the next job that was submitted and accepted after it. */
  readonly acceptedAfterMs: number;
  /** The same from the healing on. */
  readonly acceptedAfterHealMs: number;
  /** From the healing until the cluster was whole. */
  readonly wholeAfterMs: number;
  /** Nodes that have another disk than before. */
  readonly newDisks: readonly string[];
  /** The longest time without an accepted job, from before the strike to the end. */
  readonly gapMs: number;
}

export interface ChaosReport {
  readonly seed: number;
  readonly tookMs: number;
  readonly load: Omit<LoadReport, "accepted">;
  readonly audit: Audit;
  readonly faults: readonly FaultReport[];
  /** What went wrong with faults themselves. */
  readonly failures: readonly string[];
}

const WHOLE_TIMEOUT_MS = 90_000;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { stack, seed, nodeEnv } = options;
  const connection = connectJobs({ address: stack.address });
  const founders = stack.processes("node").map(({ id }) => id);
  const extras = new ExtraNodes(stack, nodeEnv, founders, () => undefined);
  const parts = new Parts(stack, extras);
  const remote = ["remote-1", "remote-2"].map((id) => new ChaosRemoteWorker(connection, id));
  try {
    await Promise.all(remote.map((worker) => worker.begun));
    const members = Array.from({ length: options.nodes }, (_, at) => `n${at + 1}`);
    const dice = new Dice(seed);
    const world: World = { parts, connection, dice, members, nodeEnv };
    await grow(world, members.slice(founders.length));
    return await run(world, options);
  } finally {
    await Promise.all(remote.map((worker) => worker.stop()));
    await extras.stopAll();
    connection.close();
  }
}

async function grow({ parts, connection, members }: World, nodeIds: string[]): Promise<void> {
  if (nodeIds.length === 0) return;
  await Promise.all(nodeIds.map((id) => parts.extras.start(id)));
  await insist(WHOLE_TIMEOUT_MS, () => connection.cluster.addNode({ nodeIds }));
  await untilWhole(connection.cluster, members, WHOLE_TIMEOUT_MS);
}

async function run(world: World, options: ChaosOptions): Promise<ChaosReport> {
  const { connection, dice } = world;
  const { report, seed, jobsPerSecond, callersMax, jobsBetweenFaults, durationMs } = options;
  const startedMs = performance.now();
  const history = new ClientHistory();
  const loadDice = new Dice(seed + 1);
  const load = new Load({
    jobs: connection.jobs,
    jobsPerSecond,
    history,
    dice: loadDice,
    ...(callersMax === undefined ? {} : { callersMax }),
  });
  const faults: FaultReport[] = [];
  const failures: string[] = [];
  try {
    for (const fault of options.faults(dice)) {
      await load.untilMoreAccepted(jobsBetweenFaults);
      if (performance.now() - startedMs >= durationMs) break;
      const outcome = await inflict(fault, world, load);
      faults.push(outcome);
      report(lineOf(outcome, performance.now() - startedMs));
    }
    await load.untilMoreAccepted(jobsBetweenFaults);
  } catch (error) {
    failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    report(`FAILED ${failures.at(-1)}`);
  }
  const { accepted, ...totals } = await load.stop();
  report(`${accepted.length} jobs accepted; waiting for their ends`);
  const verdict = await audit(connection, accepted, history);
  const tookMs = Math.round(performance.now() - startedMs);
  return { seed, tookMs, load: totals, audit: verdict, faults, failures };
}

/** Strikes, heals, and waits until all is as before and a job has been accepted since. */
async function inflict(fault: Fault, world: World, load: Load): Promise<FaultReport> {
  const beginMs = performance.now();
  try {
    const before = await clusterNow(clusterOf(world));
    const wound = await fault.strike(world);
    const accepted = load.untilAccepted();
    // Looked at below; until then it must not count as unhandled.
    accepted.catch(() => undefined);
    await delay(fault.holdMs);
    const healMs = performance.now();
    const acceptedAfterHeal = load.untilAccepted();
    acceptedAfterHeal.catch(() => undefined);
    await wound.heal();
    const isOver = wound.isOver?.bind(wound);
    const after = await untilWhole(clusterOf(world), world.members, WHOLE_TIMEOUT_MS, isOver);
    const wholeAfterMs = Math.round(performance.now() - healMs);
    return {
      fault: fault.name,
      victim: wound.victim,
      acceptedAfterMs: Math.round(await accepted),
      acceptedAfterHealMs: Math.round(await acceptedAfterHeal),
      wholeAfterMs,
      newDisks: world.members.filter((id) => storeIdOf(before, id) !== storeIdOf(after, id)),
      gapMs: load.gapMs(beginMs, performance.now()),
    };
  } catch (error) {
    throw new Error(`${fault.name}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

function lineOf(outcome: FaultReport, atMs: number): string {
  const { fault, victim, acceptedAfterMs, wholeAfterMs, newDisks, gapMs } = outcome;
  const at = `${(atMs / 1_000).toFixed(0)} s`.padStart(6);
  const times = `accepted after ${acceptedAfterMs} ms, whole ${wholeAfterMs} ms after healing`;
  const disks = newDisks.length === 0 ? "" : `, new disk of ${newDisks.join(" ")}`;
  return `${at}  ${fault} (${victim}): ${times}, longest gap ${gapMs} ms${disks}`;
}
