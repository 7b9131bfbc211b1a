// One random run: faults drawn from the seed, then healing and the demand to converge.
//
// Guarantees: throws on the first violated property, with the seed in the message. After healing a
// leader is there within 10 maximum election timeouts, and all logs become equal.
// Does not own: the cluster (raft-cluster.ts) nor the properties (raft-checker.ts).

import { createPrng, uniform } from "../../raft/prng.ts";
import {
  type ClusterOptions,
  ELECTION_TIMEOUT_MS,
  type Faults,
  RaftCluster,
  type Step,
} from "./raft-cluster.ts";

const FAULTY_MS = 4000;
const SETTLE_MS = 2 * ELECTION_TIMEOUT_MS.max;

/** Each fault is off in half of the runs, so that faults also meet alone. */
export function drawnOptions(seed: number, step: Step): ClusterOptions {
  const prng = createPrng(seed);
  const drawn = (most: number): number => {
    const isOn = uniform(prng, 0, 2) === 1;
    return isOn ? (most * uniform(prng, 1, 101)) / 100 : 0;
  };
  const size = [1, 2, 3, 3, 3, 4, 5, 5][uniform(prng, 0, 8)] ?? 3;
  const faults: Faults = {
    lossRate: drawn(0.3),
    duplicateRate: drawn(0.3),
    delayMs: [1, 2 + drawn(120)],
    persistMs: [1, 2 + drawn(200)],
    crashRate: drawn(0.6),
    partitionRate: drawn(0.5),
    falseHintRate: drawn(0.8),
  };
  return { seed, size, step, faults, workloadMs: 15 };
}

export function runToConvergence(options: ClusterOptions): RaftCluster {
  try {
    const cluster = new RaftCluster(options);
    cluster.run(FAULTY_MS);
    cluster.heal();
    converge(cluster);
    return cluster;
  } catch (error) {
    throw new Error(`seed ${options.seed} of ${options.size} nodes`, { cause: error });
  }
}

function converge(cluster: RaftCluster): void {
  cluster.run(SETTLE_MS);
  const hasLeader = cluster.run(10 * ELECTION_TIMEOUT_MS.max, () => cluster.leader() !== undefined);
  const leader = cluster.leader();
  if (!hasLeader || leader === undefined) throw new Error("no leader after healing");
  cluster.stopWorkload();
  cluster.propose(leader, "after healing");
  const isEqual = (): boolean => {
    const { lastIndex } = leader.node.log;
    const isEverywhere = cluster.hosts.every(
      ({ node }) => node.commitIndex === lastIndex && node.log.lastIndex === lastIndex,
    );
    return isEverywhere && cluster.checker.committed.length === lastIndex;
  };
  if (!cluster.run(10 * ELECTION_TIMEOUT_MS.max, isEqual)) {
    const ends = cluster.hosts.map(({ id, node }) => `${id}: ${node.commitIndex}`);
    throw new Error(`logs still differ after healing: ${ends.join(", ")}`);
  }
}
