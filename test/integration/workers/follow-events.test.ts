// The example that follows events from outside, on a real RabbitMQ: what is published reaches a
// queue of its own, and stays there while nobody reads.

import { afterEach, expect, test } from "@jest/globals";
import amqp from "amqplib";
import type { JobEvent } from "../../../transport/quorum.ts";
import { followEvents } from "../../../workers/examples/follow-events.ts";
import {
  closers,
  cluster,
  startLedger,
  startNode,
  submission,
  url,
} from "../../support/client-world.ts";

const own: string[] = [];

/** Durable queues stay: they are taken away again. */
afterEach(async () => {
  const connection = await amqp.connect(url);
  const channel = await connection.createChannel();
  for (const queue of own.splice(0)) await channel.deleteQueue(queue);
  await connection.close();
});

function follow(
  routingKeys: readonly string[],
  queue: string,
  seen: (event: JobEvent) => void | Promise<void>,
) {
  own.push(queue);
  return followEvents({ amqpUrl: url, routingKeys, queue, cluster, seen });
}

test("each event of a queue arrives once, and again if it was not dealt with", async () => {
  const ledger = startLedger();
  const node = await startNode("n1", ledger);
  node.lead(1);
  const seen: JobEvent[] = [];
  const ended = Promise.withResolvers<void>();
  let isFirst = true;
  const following = await follow(["job.main.*"], `${cluster}-a`, (event) => {
    if (isFirst) {
      isFirst = false;
      throw new Error("not now");
    }
    seen.push(event);
    if (seen.length === 2) ended.resolve();
  });
  closers.push(() => following.stop());
  const { result } = ledger.apply(submission("k-1"));
  const jobId = result.kind === "submitted" ? (result.jobs[0]?.jobId ?? "") : "";
  ledger.apply({ kind: "cancel-job", jobId, reason: "" });
  await ended.promise;
  expect(seen.map(({ event }) => event).toSorted()).toEqual(["cancelled", "queued"]);
  for (const event of seen) expect(event).toMatchObject({ jobId, kind: "greet", queue: "main" });
});

test("a queue that stays keeps what happens while nobody reads it", async () => {
  const ledger = startLedger();
  const node = await startNode("n1", ledger);
  node.lead(1);
  const queue = `${cluster}-b`;
  const away = await follow(["job.#.queued"], queue, () => undefined);
  await away.stop();
  ledger.apply(submission("k-2"));
  const seen = Promise.withResolvers<JobEvent>();
  const following = await follow(["job.#.queued"], queue, (event) => seen.resolve(event));
  closers.push(() => following.stop());
  expect(await seen.promise).toMatchObject({ event: "queued", attempt: 0, term: 1 });
});
