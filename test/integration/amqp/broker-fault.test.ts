// The peer link on a RabbitMQ that fails: away, killed, frozen, out of memory.

import { beforeEach, expect, jest, test } from "@jest/globals";
import { BROKER_START_TIMEOUT_MS, startBroker } from "../../support/broker.ts";
import { entry } from "../../support/log-entry.ts";
import { heartbeat, openLink, recordedLink } from "../../support/peer-recorder.ts";
import { clearMemoryAlarm, raiseMemoryAlarm } from "../../support/rabbitmqctl.ts";

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
  const one = await openLink({ url, cluster, nodeId: "n1" });
  const two = await openLink({ url, cluster, nodeId: "n2" });
  await broker.kill();
  await Promise.all([one.recorder.untilWritable(false), two.recorder.untilWritable(false)]);
  one.link.send("n2", heartbeat(1));
  expect(one.link.dropped()).toEqual({ "send-not-writable": 1 });

  // A third node begins while there is no broker.
  const three = recordedLink({ url, cluster, nodeId: "n3" });
  await broker.start();
  await Promise.all([one, two, three].map(({ recorder }) => recorder.untilWritable(true)));
  await three.link.claimed;
  for (const receiver of ["n2", "n3"]) one.link.send(receiver, heartbeat(2));
  await two.recorder.until((recorder) => recorder.countOfTerm(2) === 1);
  await three.recorder.until((recorder) => recorder.countOfTerm(2) === 1);
  // Nothing of before was kept for later.
  expect(two.recorder.countOfTerm(1)).toBe(0);
});

test("A memory alarm makes the link unwritable until it is over.", async () => {
  const one = await openLink({ url, cluster, nodeId: "n1" });
  const two = await openLink({ url, cluster, nodeId: "n2" });
  await raiseMemoryAlarm(broker);
  // The broker blocks a connection when it publishes.
  one.link.send("n2", heartbeat(1));
  await one.recorder.untilWritable(false);
  for (let at = 0; at < 50; at += 1) one.link.send("n2", heartbeat(2));
  expect(one.link.dropped()).toEqual({ "send-not-writable": 50 });

  await clearMemoryAlarm(broker);
  await one.recorder.untilWritable(true);
  one.link.send("n2", heartbeat(3));
  await two.recorder.until((recorder) => recorder.countOfTerm(3) === 1);
  // No burst of what was sent meanwhile.
  expect(two.recorder.countOfTerm(2)).toBe(0);
});

test("While the broker is frozen, what waits to be sent stays bounded.", async () => {
  const one = await openLink({ url, cluster, nodeId: "n1" });
  const two = await openLink({ url, cluster, nodeId: "n2" });
  const large = { ...heartbeat(1), entries: [entry(1, 1, "x".repeat(40_000))] };
  await broker.kill("SIGSTOP");
  try {
    for (let sent = 0; one.link.dropped()["send-full"] === undefined; sent += 1) {
      expect(sent).toBeLessThan(100_000);
      one.link.send("n2", large);
      if (sent % 100 === 0) await new Promise(setImmediate);
    }
  } finally {
    await broker.kill("SIGCONT");
  }
  // It drains, or was lost: either way new messages go through.
  await two.recorder.until((recorder) => {
    one.link.send("n2", heartbeat(2));
    return recorder.countOfTerm(2) > 0;
  });
});

test("A link that never finds a broker closes at once.", async () => {
  const lost = recordedLink({ url: "amqp://127.0.0.1:1", cluster, nodeId: "n1" });
  lost.link.send("n2", heartbeat(1));
  expect(lost.link.dropped()).toEqual({ "send-not-writable": 1 });
  await lost.link.close();
  expect(lost.recorder.writables).toEqual([]);
});
