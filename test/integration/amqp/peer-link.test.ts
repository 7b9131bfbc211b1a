// The peer link on a real RabbitMQ that works: lanes, checks, incarnations, identity.

import { beforeEach, expect, jest, test } from "@jest/globals";
import { IdentityTakenError } from "../../../transport/amqp/identity.ts";
import { openSession, type Session } from "../../../transport/amqp/session.ts";
import { declareRaftExchange, raftExchange } from "../../../transport/amqp/topology.ts";
import { AMQP_MESSAGE_BYTES_MAX } from "../../../transport/limit.ts";
import { memberId } from "../../../transport/member-id.ts";
import { type EnvelopeHead, encodeEnvelope } from "../../../transport/raft-codec.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import {
  append,
  appendResult,
  heartbeat,
  N1,
  N2,
  N3,
  openLink,
  recordedLink,
  voteRequest,
  voteResult,
} from "../../support/peer-recorder.ts";
import { openRelay } from "../../support/relay.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const broker = await sharedBroker();
const { url } = broker;

/** n2 on the disk that it has after a wipe. */
const LATER_N2 = memberId("n2", "00000009");

// Tests share the virtual host: each has a cluster of its own.
let cluster = "";
let clusters = 0;
beforeEach(() => {
  clusters += 1;
  cluster = `peer-link-${clusters}`;
});

async function stranger(): Promise<Session> {
  const session = openSession({
    url,
    connectionName: "test stranger",
    setup: ({ channel }) => declareRaftExchange(channel, cluster),
    logger: silentLogger(),
  });
  atEnd(() => session.close());
  await session.connected();
  return session;
}

test("Messages of both lanes arrive as they were sent.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  one.link.send(N2, voteRequest(1));
  one.link.send(N2, heartbeat(2));
  one.link.send(N2, append(3, 100));
  await two.recorder.until(({ messages }) => messages.length === 3);
  two.link.send(N1, voteResult(1));
  two.link.send(N1, appendResult(3));
  await one.recorder.until(({ messages }) => messages.length === 2);

  const byTerm = two.recorder.messages.toSorted((a, b) => a.message.term - b.message.term);
  expect(byTerm.map(({ from, message }) => [from, message.kind, message.term])).toEqual([
    [N1, "request-vote", 1],
    [N1, "append-entries", 2],
    [N1, "append-entries", 3],
  ]);
  const last = byTerm[2]?.message;
  if (last?.kind !== "append-entries") throw new Error("no append");
  expect(last.entries).toHaveLength(100);
  expect(String(last.entries[99]?.data)).toBe("entry 100 of 3");
  expect(one.recorder.messages.map(({ message }) => message)).toEqual([
    voteResult(1),
    appendResult(3),
  ]);
  expect(one.link.dropped()).toEqual({});
  expect(two.link.dropped()).toEqual({});
});

test("A message to a node without a mailbox comes back as unreachable, told once.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  for (let at = 0; at < 10; at += 1) one.link.send(N3, heartbeat(1));
  one.link.send(N2, heartbeat(1));
  await one.recorder.until(({ unreachables }) => unreachables.includes(N2));
  expect(one.recorder.unreachables).toEqual([N3, N2]);
  expect(one.link.dropped()).toEqual({ "send-returned": 11 });
});

test("Garbage is dropped and counted by cause, and disturbs nothing.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  const other = await stranger();
  const head: EnvelopeHead = {
    cluster,
    from: N1,
    fromIncarnation: 1,
    to: N2,
    toIncarnation: 1,
    sequence: 1,
  };
  const bodies = [
    Buffer.from("garbage"),
    Buffer.alloc(0),
    Buffer.alloc(AMQP_MESSAGE_BYTES_MAX + 1),
    ...[
      { cluster: "other" },
      { to: N3 },
      { to: LATER_N2 },
      { from: "n9" },
      { toIncarnation: 2 },
    ].map((change) => {
      const encoded = encodeEnvelope({ ...head, ...change }, voteRequest(5));
      if (encoded.kind !== "encoded") throw new Error(encoded.cause);
      return Buffer.from(encoded.bytes);
    }),
  ];
  for (const body of bodies) other.publish(raftExchange(cluster), "n2.control", body);
  // Behind the garbage in the same mailbox.
  other.publish(raftExchange(cluster), "n2.control", bodies[0] ?? Buffer.alloc(0));
  await two.recorder.until(() => two.link.dropped()["received-malformed"] === 3 || poke());
  expect(two.link.dropped()).toEqual({
    "received-malformed": 3,
    "received-too-large": 1,
    "received-other-cluster": 1,
    "received-other-node": 2,
    "received-other-incarnation": 1,
    "received-senseless": 1,
  });
  expect(two.recorder.countOfTerm(5)).toBe(0);

  /** Something to wait for: a message of a peer. */
  function poke(): boolean {
    one.link.send(N2, heartbeat(1));
    return false;
  }
});

test("An earlier life of a peer is not heard any more once the new one has spoken.", async () => {
  const old = await openLink({ url, cluster, memberId: N1, incarnation: 1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  old.link.send(N2, heartbeat(1));
  await two.recorder.until(({ messages }) => messages.length === 1);
  await old.link.close();

  const young = await openLink({ url, cluster, memberId: N1, incarnation: 2 });
  young.link.send(N2, heartbeat(2));
  await two.recorder.until(({ messages }) => messages.length === 2);

  const other = await stranger();
  const late = encodeEnvelope(
    { cluster, from: N1, fromIncarnation: 1, to: N2, toIncarnation: 1, sequence: 99 },
    heartbeat(7),
  );
  if (late.kind !== "encoded") throw new Error(late.cause);
  other.publish(raftExchange(cluster), "n2.control", Buffer.from(late.bytes));
  await two.recorder.until(() => {
    young.link.send(N2, heartbeat(3));
    return two.link.dropped()["received-earlier-incarnation"] === 1;
  });
  expect(two.recorder.countOfTerm(7)).toBe(0);
});

test("A peer in a new life is reached again without having spoken first.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2, incarnation: 1 });
  two.link.send(N1, voteRequest(1));
  await one.recorder.until(({ messages }) => messages.length === 1);
  await two.link.close();
  one.link.send(N2, heartbeat(1));
  await one.recorder.until(({ unreachables }) => unreachables.length === 1);

  const again = await openLink({ url, cluster, memberId: N2, incarnation: 2 });
  one.link.send(N2, heartbeat(2));
  await again.recorder.until(({ messages }) => messages.length === 1);
  again.link.send(N1, appendResult(2));
  await one.recorder.until(({ messages }) => messages.length === 2);
});

test("A result for a peer that is gone is dropped instead of sent to its next life.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  one.link.send(N2, voteResult(1));
  expect(one.link.dropped()).toEqual({ "send-result-without-address": 1 });
});

test("A message of a stranger is handed up, and can be answered.", async () => {
  const one = await openLink({ url, cluster, memberId: N1, peers: [] });
  const two = await openLink({ url, cluster, memberId: N2, peers: [N1] });
  two.link.send(N1, voteRequest(1));
  await one.recorder.until(({ messages }) => messages.length === 1);
  expect(one.recorder.messages[0]?.from).toBe(N2);
  expect(one.link.incarnationOf(N2)).toBe(1);
  one.link.send(N2, voteResult(1));
  await two.recorder.until(({ messages }) => messages.length === 1);
  one.link.setPeers([N1, N2]);
  expect(one.link.incarnationOf(N2)).toBe(1);
});

test("A name on a new disk is another peer; what was meant for the old one is dropped.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const old = await openLink({ url, cluster, memberId: N2, incarnation: 5 });
  old.link.send(N1, voteRequest(1));
  await one.recorder.until(({ messages }) => messages.length === 1);
  await old.link.close();

  // Its incarnations begin anew, and are no earlier life of the old one.
  const wiped = await openLink({ url, cluster, memberId: LATER_N2, incarnation: 1 });
  wiped.link.send(N1, voteRequest(2));
  await one.recorder.until(({ messages }) => messages.length === 2);
  expect(one.recorder.messages[1]?.from).toBe(LATER_N2);
  expect([one.link.incarnationOf(N2), one.link.incarnationOf(LATER_N2)]).toEqual([5, 1]);
  one.link.send(N2, heartbeat(3));
  one.link.send(LATER_N2, heartbeat(4));
  await wiped.recorder.until(({ messages }) => messages.length === 1);
  expect(wiped.recorder.countOfTerm(4)).toBe(1);
  expect(wiped.link.dropped()).toEqual({ "received-other-node": 1 });
});

test("A mailbox that is gone is told of each member id that was heard of by its name.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const wiped = await openLink({ url, cluster, memberId: LATER_N2 });
  wiped.link.send(N1, voteRequest(1));
  await one.recorder.until(({ messages }) => messages.length === 1);
  await wiped.link.close();
  one.link.send(LATER_N2, heartbeat(1));
  await one.recorder.until(({ unreachables }) => unreachables.length === 2);
  expect(one.recorder.unreachables).toEqual([N2, LATER_N2]);
});

test("A hello goes to a name, whatever its disk, and says who speaks.", async () => {
  const one = await openLink({ url, cluster, memberId: N1, peers: [] });
  const wiped = await openLink({ url, cluster, memberId: LATER_N2, peers: [] });
  const hello = {
    isFormed: false,
    mayFound: true,
    members: [],
    founding: [],
    founders: ["n1", "n2", "n3"],
  };
  // Nobody is there who could be unreachable: only counted.
  one.link.sendHello("n3", hello);
  one.link.sendHello("n2", hello);
  await wiped.recorder.until(({ hellos }) => hellos.length === 1);
  expect(wiped.recorder.hellos).toEqual([{ from: N1, hello }]);
  wiped.link.sendHello("n1", { ...hello, founding: [N1, LATER_N2, N3] });
  await one.recorder.until(({ hellos }) => hellos.length === 1);
  expect(one.recorder.hellos[0]?.hello.founding).toEqual([N1, LATER_N2, N3]);
  expect(one.recorder.unreachables).toEqual([]);
  expect(one.link.dropped()).toEqual({ "send-returned": 1 });
});

test("A second process with the same node id is refused, the first goes on.", async () => {
  const first = await openLink({ url, cluster, memberId: N1, incarnation: 1 });
  const second = recordedLink({ url, cluster, memberId: N1, incarnation: 1, identityWaitMs: 300 });
  await expect(second.link.claimed).rejects.toBeInstanceOf(IdentityTakenError);
  await expect(second.link.claimed).rejects.toThrow('node "n1"');
  expect(second.recorder.writables).toEqual([]);
  await second.link.close();

  const two = await openLink({ url, cluster, memberId: N2 });
  two.link.send(N1, voteRequest(1));
  await first.recorder.until(({ messages }) => messages.length === 1);
});

test("A second process with the same name on another disk is refused as well.", async () => {
  await openLink({ url, cluster, memberId: N2 });
  const second = recordedLink({ url, cluster, memberId: LATER_N2, identityWaitMs: 300 });
  await expect(second.link.claimed).rejects.toBeInstanceOf(IdentityTakenError);
  await second.link.close();
});

test("A node id is free again as soon as its process has ended.", async () => {
  const first = await openLink({ url, cluster, memberId: N1, incarnation: 1 });
  const second = recordedLink({ url, cluster, memberId: N1, incarnation: 2 });
  await first.link.close();
  await second.link.claimed;
  await second.recorder.untilWritable(true);
});

test("The same node id in another cluster is another node.", async () => {
  await openLink({ url, cluster, memberId: N1 });
  await openLink({ url, cluster: `${cluster}-other`, memberId: N1 });
});

test("A node whose id was taken while it was cut off is told so, and sends nothing.", async () => {
  const line = await openRelay(url);
  const lost = Promise.withResolvers<IdentityTakenError>();
  const first = await openLink({
    url: line.url,
    cluster,
    memberId: N1,
    identityRegainWaitMs: 300,
    onIdentityLost: (error) => lost.resolve(error),
  });
  line.refuse();
  line.cut();
  await first.recorder.untilWritable(false);
  await openLink({ url, cluster, memberId: N1, incarnation: 2 });
  line.accept();
  expect((await lost.promise).nodeId).toBe("n1");
  expect(first.recorder.writables).toEqual([true, false]);
});

test("A node that was cut off takes its id again, and is heard again.", async () => {
  const line = await openRelay(url);
  const one = await openLink({ url: line.url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  line.cut();
  await one.recorder.untilWritable(false);
  await one.recorder.untilWritable(true);
  one.link.send(N2, heartbeat(4));
  await two.recorder.until((recorder) => recorder.countOfTerm(4) === 1);
  two.link.send(N1, voteRequest(5));
  await one.recorder.until((recorder) => recorder.countOfTerm(5) === 1);
});
