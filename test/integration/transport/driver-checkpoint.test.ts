// Drivers whose ledgers are compared: each builds its own anew from what it has, with the real
// thread, and tells its leader.

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { hash } from "../../../ledger/ledger.ts";
import type { Answer } from "../../../protos/gen/node/v1/exchange.ts";
import { EntryKind } from "../../../raft/message.ts";
import { encodeCommand } from "../../../transport/command-codec.ts";
import { nameOf } from "../../../transport/member-id.ts";
import {
  DriverCluster,
  type Member,
  PATIENT,
  REGISTRATION,
  submission,
} from "../../support/driver-cluster.ts";
import { outcomeOf } from "../../support/driver-load.ts";

jest.setTimeout(30_000);

const NODES = ["n1#00000001", "n2#00000002", "n3#00000003"];
let cluster: DriverCluster;

beforeEach(() => {
  cluster = new DriverCluster(NODES);
  cluster.timing = PATIENT;
});

afterEach(() => {
  cluster.stop();
});

async function ready(): Promise<{ leader: Member; followers: Member[] }> {
  const leader = await cluster.startAll().leader();
  await cluster.answerTo(leader, cluster.propose(leader, REGISTRATION));
  const followers = [...cluster.members.values()].filter((member) => member !== leader);
  return { leader, followers };
}

const verify = (leader: Member): number =>
  cluster.administer(leader, { $case: "verifyLedger", value: {} });

interface Compared {
  readonly index: number;
  readonly hash: string;
  readonly nodes: Readonly<Record<string, string>>;
}

function comparedIn(answer: Answer["answer"]): Compared {
  const outcome = answer?.$case === "administered" ? answer.value.outcome : undefined;
  if (outcome?.$case !== "verifyLedger") throw new Error(`answered ${outcomeOf(answer)}`);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const { index, hash: common, nodes } = outcome.value;
  const pairs = nodes.map((node) => [node.nodeId, hex(node.hash)]);
  return { index, hash: hex(common), nodes: Object.fromEntries(pairs) };
}

test("all say the same, and it is what the leader's ledger was at that entry", async () => {
  const { leader } = await ready();
  await cluster.answerTo(leader, cluster.propose(leader, submission(5)));
  const before = cluster.propose(leader, submission(2));
  const callId = verify(leader);
  await cluster.answerTo(leader, before);
  const compared = comparedIn(await cluster.answerTo(leader, callId));
  expect(compared.index).toBe(leader.driver.status().lastApplied);
  expect(compared.hash).toBe(hash(leader.driver.ledger));
  expect(compared.nodes).toEqual({ n1: compared.hash, n2: compared.hash, n3: compared.hash });
});

test("several who ask at once are all told", async () => {
  const { leader } = await ready();
  const calls = [verify(leader), verify(leader)];
  const write = cluster.propose(leader, submission());
  calls.push(verify(leader));
  await cluster.answerTo(leader, write);
  for (const callId of calls) {
    const { hash: common, nodes } = comparedIn(await cluster.answerTo(leader, callId));
    expect(common).not.toBe("");
    expect(Object.values(nodes)).toEqual([common, common, common]);
  }
});

test("a node whose log holds something else is told apart", async () => {
  const { leader, followers } = await ready();
  const [odd] = followers;
  if (odd === undefined) throw new Error("three nodes");
  const other = encodeCommand({ timeMs: Date.now(), random: 1, body: submission(2) });
  cluster.passes = ({ from, to, message }) => {
    const isIt = to === odd.id && message.kind === "append-entries" && message.entries.length > 0;
    if (!isIt) return true;
    const entries = message.entries.map((entry) =>
      entry.kind === EntryKind.Command ? { ...entry, data: other } : entry,
    );
    cluster.members.get(to)?.driver.received(from, { ...message, entries });
    return false;
  };
  await cluster.answerTo(leader, cluster.propose(leader, submission(1)));
  await cluster.until(() => odd.driver.status().lastApplied === leader.driver.status().lastApplied);
  cluster.passes = () => true;
  const compared = comparedIn(await cluster.answerTo(leader, verify(leader)));
  const name = nameOf(odd.id);
  const differing = Object.keys(compared.nodes).filter(
    (id) => compared.nodes[id] !== compared.hash,
  );
  expect(differing).toEqual([name]);
  expect(compared.nodes[name]).not.toBe("");
});

test("what a node says is said again when it got lost", async () => {
  const { leader } = await ready();
  let lost = 0;
  cluster.hears = ({ hello }) => {
    if (hello.checkpoint === undefined || lost >= 2) return true;
    lost += 1;
    return false;
  };
  const compared = comparedIn(await cluster.answerTo(leader, verify(leader)));
  expect(lost).toBe(2);
  expect(Object.values(compared.nodes)).not.toContain("");
});

test("a leader that is deposed meanwhile sends those who ask to the next one", async () => {
  const { leader } = await ready();
  cluster.hears = ({ hello }) => hello.checkpoint === undefined;
  const [applied, waiting] = [verify(leader), verify(leader)];
  await cluster.until(() => leader.store.snapshot !== null && leader.store.snapshot.index > 0);
  cluster.cut.add(leader.id);
  const late = verify(leader);
  for (const callId of [applied, waiting, late]) {
    expect(outcomeOf(await cluster.answerTo(leader, callId))).toBe("NOT_LEADER");
  }
  cluster.hears = () => true;
  cluster.cut.clear();
  const next = await cluster.leader(({ id }) => id !== leader.id);
  await cluster.until(() => leader.driver.status().leader === nameOf(next.id));
  const { hash: common, nodes } = comparedIn(await cluster.answerTo(next, verify(next)));
  expect(Object.values(nodes)).toEqual([common, common, common]);
});

test("a node that replays checkpoints of earlier terms builds nothing for them", async () => {
  const entries = [1, 2, 3].map((index) => ({
    index,
    term: 1,
    kind: EntryKind.Command,
    data: encodeCommand({ timeMs: 1_000, random: 1, body: { kind: "checkpoint" } }),
    traceparent: "",
  }));
  cluster = new DriverCluster(["n1#00000001"]);
  const hardState = { currentTerm: 1, votedFor: "n1#00000001" };
  const store = cluster.foundersDisk({ hardState, entries });
  const begun = jest.spyOn(store, "openSnapshotWriter");
  const leader = cluster.start("n1#00000001", store);
  await cluster.leader();
  const { index } = comparedIn(await cluster.answerTo(leader, verify(leader)));
  // What was compared is told before the log is cut to it.
  await cluster.until(() => leader.store.snapshot?.index === index);
  // Orders are carried out in turn: before this one there was none.
  expect(begun).toHaveBeenCalledTimes(1);
});
