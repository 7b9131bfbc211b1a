// One named fault a test, on a whole cluster in virtual time; every property is checked throughout.

import { describe, expect, test } from "@jest/globals";
import { step } from "../../raft/step.ts";
import {
  ELECTION_TIMEOUT_MS,
  type Faults,
  HEARTBEAT_INTERVAL_MS,
  type Host,
  NO_FAULTS,
  RaftCluster,
} from "../support/raft-cluster.ts";

const { min, max } = ELECTION_TIMEOUT_MS;
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

function started(seed: number, size = 3, faults: Partial<Faults> = {}): RaftCluster {
  const cluster = new RaftCluster({ seed, size, step, faults: { ...NO_FAULTS, ...faults } });
  cluster.run(20 * max, () => hasSettled(cluster));
  return cluster;
}

function hasSettled(cluster: RaftCluster): boolean {
  const leader = cluster.leader();
  const term = leader?.node.currentTerm;
  if (leader === undefined || leader.node.commitIndex === 0) return false;
  return cluster.hosts.every(({ node }) => node.leader === leader.id && node.currentTerm === term);
}

function leaderOf(cluster: RaftCluster): Host {
  const leader = cluster.leader();
  if (leader === undefined) throw new Error("no single leader");
  return leader;
}

function followersOf(cluster: RaftCluster): [Host, Host] {
  const [first, second] = cluster.hosts.filter(({ node }) => node.role !== "leader");
  if (first === undefined || second === undefined) throw new Error("too few followers");
  return [first, second];
}

describe.each(SEEDS)("with seed %i", (seed) => {
  test("one cut link leaves leader and term as they are (Cloudflare, 2020-11-02)", () => {
    const cluster = started(seed);
    const leader = leaderOf(cluster);
    const [cutOff] = followersOf(cluster);
    const { currentTerm } = leader.node;
    cluster.cut(leader.id, cutOff.id);
    cluster.cut(cutOff.id, leader.id);
    cluster.run(20 * max);
    cluster.propose(leader, "still here");
    cluster.run(100);
    expect(leader.node).toMatchObject({ role: "leader", currentTerm, commitIndex: 2 });
    expect(cutOff.node.currentTerm).toBe(currentTerm);
  });

  test("a leader cut off steps down in time, and the others go on without it", () => {
    const cluster = started(seed);
    const old = leaderOf(cluster);
    cluster.isolate(old.id);
    cluster.propose(old, "never committed");
    cluster.run(max + 2 * HEARTBEAT_INTERVAL_MS, () => old.node.role !== "leader");
    expect(old.node.role).not.toBe("leader");
    cluster.run(10 * max, () => cluster.leader() !== undefined);
    const next = leaderOf(cluster);
    expect(next.id).not.toBe(old.id);
    cluster.propose(next, "committed");
    cluster.join();
    expect(cluster.run(5 * max, () => hasSettled(cluster))).toBe(true);
    cluster.run(500);
    expect(old.node.log.lastIndex).toBe(next.node.log.lastIndex);
    expect(old.node.commitIndex).toBe(next.node.commitIndex);
  });

  test("a node that was cut off comes back without deposing the leader", () => {
    const cluster = started(seed);
    const leader = leaderOf(cluster);
    const [away] = followersOf(cluster);
    const { currentTerm } = leader.node;
    cluster.isolate(away.id);
    cluster.run(20 * max);
    cluster.join();
    cluster.run(2 * max);
    expect(leader.node).toMatchObject({ role: "leader", currentTerm });
    expect(away.node).toMatchObject({ role: "follower", leader: leader.id, currentTerm });
  });

  test("a dead leader is replaced before any election timeout, told by the broker", () => {
    const cluster = started(seed);
    const dead = leaderOf(cluster);
    cluster.crash(dead);
    const atMs = cluster.nowMs;
    cluster.run(10 * max, () => cluster.leader() !== undefined);
    // Without a word of traffic: three silent heartbeats, then the hint and the campaign.
    expect(cluster.nowMs - atMs).toBeLessThan(min + 8 * HEARTBEAT_INTERVAL_MS);
    expect(leaderOf(cluster).id).not.toBe(dead.id);
  });

  test("false hints about a live leader change nothing as long as others hear it", () => {
    const cluster = started(seed, 5);
    const leader = leaderOf(cluster);
    const { currentTerm } = leader.node;
    for (let round = 0; round < 20; round += 1) {
      const [misled] = followersOf(cluster);
      cluster.input(misled, { kind: "unreachable", nowMs: cluster.nowMs, peer: leader.id });
      cluster.run(HEARTBEAT_INTERVAL_MS);
    }
    expect(leader.node).toMatchObject({ role: "leader", currentTerm });
  });

  test("a slow disk on a quick network causes no election and no early commit", () => {
    const cluster = started(seed, 3, { persistMs: [180, 200] });
    const leader = leaderOf(cluster);
    const { elections } = cluster.counts;
    const before = leader.node.commitIndex;
    cluster.propose(leader, "slow");
    cluster.run(170);
    expect(leader.node.commitIndex).toBe(before);
    cluster.run(10 * max);
    expect(leader.node.commitIndex).toBe(before + 1);
    expect(cluster.counts.elections).toBe(elections);
  });

  test("lost appends are sent again although nobody reports them", () => {
    const cluster = started(seed);
    const leader = leaderOf(cluster);
    const [deaf, other] = followersOf(cluster);
    cluster.cut(leader.id, deaf.id);
    cluster.cut(leader.id, other.id);
    for (let count = 0; count < 10; count += 1) cluster.propose(leader, `lost ${count}`);
    cluster.run(10);
    cluster.join();
    cluster.run(6 * HEARTBEAT_INTERVAL_MS);
    expect(cluster.hosts.map(({ node }) => node.log.lastIndex)).toEqual([11, 11, 11]);
    expect(leader.node.commitIndex).toBe(11);
  });

  test("a cluster that loses power as a whole keeps all that it committed", () => {
    const cluster = started(seed, 5, { persistMs: [1, 60] });
    const leader = leaderOf(cluster);
    for (let count = 0; count < 30; count += 1) cluster.propose(leader, `command ${count}`);
    cluster.run(70);
    const committed = cluster.checker.committed.length;
    expect(committed).toBeGreaterThan(1);
    for (const host of cluster.hosts) cluster.crash(host, 0);
    cluster.heal();
    cluster.run(10 * max, () => hasSettled(cluster));
    expect(leaderOf(cluster).node.commitIndex).toBeGreaterThanOrEqual(committed);
  });
});

describe("a long log", () => {
  test("of a million entries costs a step no more than a short one", () => {
    const timeOf = (length: number): number => {
      const cluster = new RaftCluster({ seed: 1, size: 1, step, faults: NO_FAULTS });
      const [host] = cluster.hosts;
      if (host === undefined) throw new Error("a cluster has hosts");
      const data = new Uint8Array(0);
      for (let index = 1; index <= length; index += 1) {
        host.disk.entries.push({ term: 1, index, kind: 1, data, traceparent: "" });
      }
      host.disk.hardState = { currentTerm: 1, votedFor: null };
      const startMs = performance.now();
      cluster.crash(host);
      cluster.restart(host);
      for (let count = 0; count < 20_000; count += 1) {
        step(host.node, { kind: "tick", nowMs: 1 });
      }
      return performance.now() - startMs;
    };
    timeOf(10);
    // Copying a million references a step would take minutes.
    expect(timeOf(1_000_000)).toBeLessThan(3000);
  });
});
