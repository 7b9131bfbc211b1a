// Chunks of snapshots on a real RabbitMQ, beside the messages that must not wait for them.

import { beforeEach, expect, jest, test } from "@jest/globals";
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_WINDOW } from "../../../transport/limit.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import {
  heartbeat,
  installSnapshot,
  N1,
  N2,
  N3,
  openLink,
  type RecordedLink,
  snapshotChunk,
  snapshotRequest,
} from "../../support/peer-recorder.ts";
import { openRelay } from "../../support/relay.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const { url } = await sharedBroker();

let cluster = "";
let clusters = 0;
beforeEach(() => {
  clusters += 1;
  cluster = `snapshot-lane-${clusters}`;
});

/** Sends a request and a heartbeat until a request has come: its connection opens at first use. */
async function open(from: RecordedLink, to: RecordedLink): Promise<void> {
  await to.recorder.until(({ messages }) => {
    from.link.send(N1, heartbeat(1));
    from.link.send(N1, snapshotRequest(1, 0, SNAPSHOT_CHUNK_BYTES));
    return messages.some(({ message }) => message.kind === "snapshot-request");
  });
}

function offsetsOf({ recorder }: RecordedLink): readonly number[] {
  return recorder.messages.flatMap(({ message }) =>
    message.kind === "snapshot-chunk" ? [message.offset] : [],
  );
}

test("A snapshot arrives whole, in windows of chunks, while heartbeats go their own way.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  const bytes = Buffer.alloc(10 * SNAPSHOT_WINDOW * SNAPSHOT_CHUNK_BYTES);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
  one.link.send(N2, installSnapshot(1, { bytes: bytes.length }));
  await two.recorder.until(({ messages }) => messages.length === 1);
  await open(two, one);
  // Chunks for nobody open the other direction.
  await one.recorder.until(() => {
    one.link.send(N3, snapshotChunk(1, 0, Buffer.alloc(1)));
    two.link.send(N1, heartbeat(1));
    return one.link.dropped()["send-snapshot-returned"] !== undefined;
  });

  const sent: number[] = [];
  for (let window = 0; window < 10; window += 1) {
    for (let turn = 0; turn < SNAPSHOT_WINDOW; turn += 1) {
      const offset = sent.length * SNAPSHOT_CHUNK_BYTES;
      sent.push(offset);
      const data = bytes.subarray(offset, offset + SNAPSHOT_CHUNK_BYTES);
      one.link.send(N2, snapshotChunk(1, offset, data));
    }
    one.link.send(N2, heartbeat(2));
    await two.recorder.until(
      (recorder) => recorder.countOfTerm(2) === window + 1 && offsetsOf(two).length === sent.length,
    );
  }
  expect(offsetsOf(two)).toEqual(sent);
  const chunks = two.recorder.messages.flatMap(({ message }) =>
    message.kind === "snapshot-chunk" ? [message.data] : [],
  );
  expect(bytes.equals(Buffer.concat(chunks))).toBe(true);
  expect(two.link.dropped()["received-checksum"]).toBeUndefined();
});

test("A chunk that nobody takes says nothing of its receiver.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  const two = await openLink({ url, cluster, memberId: N2 });
  await one.recorder.until(() => {
    one.link.send(N3, snapshotChunk(1, 0, Buffer.alloc(1)));
    two.link.send(N1, heartbeat(1));
    return one.link.dropped()["send-snapshot-returned"] !== undefined;
  });
  expect(one.recorder.unreachables).toEqual([]);
});

test("After all connections were cut, chunks flow again.", async () => {
  const line = await openRelay(url);
  const one = await openLink({ url: line.url, cluster, memberId: N1 });
  const two = await openLink({ url: line.url, cluster, memberId: N2 });
  await open(two, one);
  line.cut();
  await Promise.all([one, two].map(({ recorder }) => recorder.untilWritable(false)));
  await Promise.all([one, two].map(({ recorder }) => recorder.untilWritable(true)));
  const before = one.recorder.messages.length;
  await one.recorder.until(({ messages }) => {
    two.link.send(N1, heartbeat(1));
    two.link.send(N1, snapshotRequest(2, 0, 1));
    return messages.slice(before).some(({ message }) => message.kind === "snapshot-request");
  });
});

test("A link that is closed while its snapshot connections are being opened ends.", async () => {
  const one = await openLink({ url, cluster, memberId: N1 });
  one.link.send(N2, snapshotChunk(1, 0, Buffer.alloc(1)));
  await one.link.close();
  expect(one.link.dropped()["send-snapshot-unwritable"]).toBe(1);
});
