// The peer link on a RabbitMQ that fails: away, killed, frozen, out of memory.

import { beforeEach, expect, jest, test } from "@jest/globals";
import { memberId } from "../../../transport/member-id.ts";
import { BROKER_START_TIMEOUT_MS, startBroker } from "../../support/broker.ts";
import { entry } from "../../support/log-entry.ts";
import {
  heartbeat,
  N1,
  N2,
  N3,
  openLink,
  recordedLink,
  snapshotChunk,
} from "../../support/peer-recorder.ts";
import { clearMemoryAlarm, rabbitmqctl, raiseMemoryAlarm } from "../../support/rabbitmqctl.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const broker = await startBroker();
const { url } = broker;

let cluster = "";
let clusters = 0;
beforeEach(() => {
  clusters += 1;
  cluster = `broker-fault-${clusters}`;
});

test("After a kill and restart of the broker, the link delivers again by itself.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  await broker.kill();
  await Promise.all([one.recorder.untilWritable(false), two.recorder.untilWritable(false)]);
  one.link.send(N2, heartbeat(1));
  expect(one.link.dropped()).toEqual({ "send-not-writable": 1 });

  // A third node begins while there is no broker.
  const three = recordedLink({ url, cluster, memberId: N3 });
  await broker.start();
  await Promise.all([one, two, three].map(({ recorder }) => recorder.untilWritable(true)));
  await three.link.claimed;
  for (const receiver of [N2, N3]) one.link.send(receiver, heartbeat(2));
  await two.recorder.until((recorder) => recorder.countOfTerm(2) === 1);
  await three.recorder.until((recorder) => recorder.countOfTerm(2) === 1);
  // Nothing of before was kept for later.
  expect(two.recorder.countOfTerm(1)).toBe(0);
});

test("A memory alarm makes the link unwritable until it is over.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  await raiseMemoryAlarm(broker);
  // The broker blocks a connection when it publishes.
  one.link.send(N2, heartbeat(1));
  await one.recorder.untilWritable(false);
  for (let at = 0; at < 50; at += 1) one.link.send(N2, heartbeat(2));
  expect(one.link.dropped()).toEqual({ "send-not-writable": 50 });

  await clearMemoryAlarm(broker);
  await one.recorder.untilWritable(true);
  one.link.send(N2, heartbeat(3));
  await two.recorder.until((recorder) => recorder.countOfTerm(3) === 1);
  // No burst of what was sent meanwhile.
  expect(two.recorder.countOfTerm(2)).toBe(0);
});

test("While the broker is frozen, what waits to be sent stays bounded.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  const large = { ...heartbeat(1), entries: [entry(1, 1, "x".repeat(40_000))] };
  await broker.kill("SIGSTOP");
  try {
    for (let sent = 0; one.link.dropped()["send-full"] === undefined; sent += 1) {
      expect(sent).toBeLessThan(100_000);
      one.link.send(N2, large);
      if (sent % 100 === 0) await new Promise(setImmediate);
    }
  } finally {
    await broker.kill("SIGCONT");
  }
  // It drains, or was lost: either way new messages go through.
  await two.recorder.until((recorder) => {
    one.link.send(N2, heartbeat(2));
    return recorder.countOfTerm(2) > 0;
  });
});

test("Connections of snapshots that are lost come back, and nothing else notices.", async () => {
  // Names of their own: the other tests' links are still open.
  const target = memberId("n9", "00000009");
  const one = await openLink({ url, cluster, memberId: memberId("n8", "00000008") });
  const two = await openLink({ url, cluster, memberId: target });
  const chunk = Buffer.alloc(1_000);
  const arrives = (term: number): Promise<void> =>
    two.recorder.until((recorder) => {
      // A heartbeat comes back as something to look at again.
      one.link.send(target, heartbeat(100));
      one.link.send(target, snapshotChunk(term, 0, chunk));
      return recorder.countOfTerm(term) > 0;
    });
  await arrives(1);
  const listed = await rabbitmqctl(broker, "list_connections", "pid", "client_properties");
  const pids = listed
    .split("\n")
    .filter((line) => /quorumq n[89] snapshot (publish|consume)/.test(line))
    .map((line) => line.split("\t")[0] ?? "");
  // n9 has not sent a chunk: only n8 has opened its publishing connection.
  expect(pids).toHaveLength(3);
  for (const pid of pids) await rabbitmqctl(broker, "close_connection", pid, "test");
  await arrives(2);
  expect(one.recorder.writables).toEqual([true]);
  expect(two.recorder.writables).toEqual([true]);
  expect(one.recorder.unreachables).toEqual([]);
});

test("A link that never finds a broker closes at once.", async () => {
  const lost = recordedLink({ url: "amqp://127.0.0.1:1", cluster, memberId: N1 });
  lost.link.send(N2, heartbeat(1));
  expect(lost.link.dropped()).toEqual({ "send-not-writable": 1 });
  await lost.link.close();
  expect(lost.recorder.writables).toEqual([]);
});
