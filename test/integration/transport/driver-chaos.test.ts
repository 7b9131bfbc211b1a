// Three drivers in one process under random faults: nodes that crash and come back, links that are
// cut or lossy, disks that stand still. What clients were told is then held against the ledger.
//
// The faults follow a seed; the order of events does not, since timers are real.

import { setTimeout as delay } from "node:timers/promises";
import { expect, jest, test } from "@jest/globals";
import { getJob, hash } from "../../../ledger/ledger.ts";
import { Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import { createPrng, uniform } from "../../../raft/prng.ts";
import {
  DriverCluster,
  type Member,
  REGISTRATION,
  submission,
  submittedIds,
} from "../../support/driver-cluster.ts";
import type { MemoryLogStore } from "../../support/memory-log-store.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(60_000);

const NODES = ["n1", "n2", "n3"];
const SEED = 20_231;
const TURNS = 500;
const prng = createPrng(SEED);

function isLucky(percent: number): boolean {
  return uniform(prng, 0, 100) < percent;
}

function pick<T>(items: readonly T[]): T | undefined {
  return items[uniform(prng, 0, items.length)];
}

interface Asked {
  readonly member: Member;
  readonly callId: number;
  /** The highest index that was answered when this was asked. */
  readonly answeredIndex: number;
}

/** What clients have asked and were told. */
class Clients {
  readonly acceptedIds = new Set<string>();
  /** The idempotency keys of calls that were told: nothing happened. */
  readonly refusedKeys = new Set<string>();
  readonly staleReads: string[] = [];
  readCount = 0;
  #answeredIndex = 0;
  readonly #submissions = new Map<string, Asked>();
  #reads: Asked[] = [];

  ask(cluster: DriverCluster, member: Member): void {
    const asked = { member, answeredIndex: this.#answeredIndex };
    const key = `key-${this.#submissions.size}`;
    this.#submissions.set(key, { ...asked, callId: cluster.propose(member, keyed(key)) });
    if (isLucky(40)) this.#reads.push({ ...asked, callId: cluster.read(member) });
  }

  collect(): void {
    for (const [key, { member, callId }] of this.#submissions) {
      const answer = member.answers.get(callId);
      const [jobId] = submittedIds(answer) ?? [];
      if (jobId !== undefined) this.acceptedIds.add(jobId);
      if (answer?.$case === "applied") {
        this.#answeredIndex = Math.max(this.#answeredIndex, answer.value.index);
      } else if (answer?.$case === "refused") {
        const isUnknown = answer.value.reason === Refused_Reason.REASON_OUTCOME_UNKNOWN;
        if (!isUnknown) this.refusedKeys.add(key);
      }
    }
    this.#reads = this.#reads.filter(({ member, callId, answeredIndex }) => {
      const answer = member.answers.get(callId);
      if (answer?.$case !== "read") return answer === undefined;
      this.readCount += 1;
      const { index } = answer.value;
      if (index < answeredIndex) this.staleReads.push(`read ${index} after ${answeredIndex}`);
      return false;
    });
  }
}

function keyed(idempotencyKey: string): ReturnType<typeof submission> {
  const body = submission();
  if (body.kind !== "submit-jobs") return body;
  return { ...body, jobs: body.jobs.map((job) => ({ ...job, idempotencyKey })) };
}

class Faults {
  count = 0;
  readonly #cluster: DriverCluster;
  readonly #crashed = new Map<string, MemoryLogStore>();
  #lossPercent = 0;

  constructor(cluster: DriverCluster) {
    this.#cluster = cluster;
    cluster.passes = () => !isLucky(this.#lossPercent);
  }

  maybe(): void {
    const { members, cut } = this.#cluster;
    const member = pick([...members.values()]);
    if (isLucky(2) && this.#crashed.size === 0 && member !== undefined) {
      this.#crashed.set(member.id, this.#cluster.crash(member));
      this.count += 1;
    }
    if (isLucky(4)) this.#restart();
    if (isLucky(3)) this.#cut();
    if (isLucky(5)) cut.clear();
    if (isLucky(3)) this.#hold(member);
    if (isLucky(5)) for (const { store } of members.values()) store.release();
    if (isLucky(2)) this.#lossPercent = isLucky(50) ? 0 : uniform(prng, 0, 30);
  }

  heal(): void {
    this.#restart();
    this.#cluster.cut.clear();
    this.#lossPercent = 0;
    for (const { store } of this.#cluster.members.values()) store.release();
  }

  #cut(): void {
    this.#cluster.cut.add(pick(NODES) ?? "");
    this.count += 1;
  }

  #hold(member: Member | undefined): void {
    member?.store.hold();
    this.count += 1;
  }

  #restart(): void {
    for (const [id, store] of this.#crashed) this.#cluster.start(id, store);
    this.#crashed.clear();
  }
}

test("no answered job is lost, no refused one is there, and no read is stale", async () => {
  const cluster = new DriverCluster(NODES).startAll();
  atEnd(() => cluster.stop());
  const first = await cluster.leader();
  await cluster.answerTo(first, cluster.propose(first, REGISTRATION));
  const clients = new Clients();
  const faults = new Faults(cluster);
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const member of cluster.members.values()) if (isLucky(70)) clients.ask(cluster, member);
    faults.maybe();
    await delay(uniform(prng, 2, 15));
    clients.collect();
  }
  faults.heal();

  const leader = await cluster.leader();
  await cluster.answerTo(leader, cluster.propose(leader, submission()));
  const members = [...cluster.members.values()];
  const { lastApplied } = leader.driver.status();
  await cluster.until(() => members.every((m) => m.driver.status().lastApplied >= lastApplied));
  clients.collect();

  const { ledger } = leader.driver;
  expect(new Set(members.map(({ driver }) => hash(driver.ledger))).size).toBe(1);
  expect([...clients.acceptedIds].filter((id) => getJob(ledger, id) === undefined)).toEqual([]);
  const keys = new Set([...ledger.jobs].map(({ idempotencyKey }) => idempotencyKey));
  expect([...clients.refusedKeys].filter((key) => keys.has(key))).toEqual([]);
  expect(clients.staleReads).toEqual([]);
  // Or it has shown nothing.
  expect(clients.acceptedIds.size).toBeGreaterThan(20);
  expect(clients.readCount).toBeGreaterThan(5);
  expect(faults.count).toBeGreaterThan(10);
});
