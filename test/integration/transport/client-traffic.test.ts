// Calls of gateways and workers to nodes over a real RabbitMQ, with the ledger behind the mailbox.

import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import amqp from "amqplib";
import { ReadList, Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import { clientsExchange, EVENTS_EXCHANGE } from "../../../transport/amqp/topology.ts";
import { encodeCall, encodeRequest } from "../../../transport/call-codec.ts";
import { CLIENT_BATCH_CALLS_MAX } from "../../../transport/limit.ts";
import type { JobEvent, LockEvent } from "../../../transport/quorum.ts";
import {
  CALL,
  closers,
  cluster,
  KIND,
  startClient,
  startLedger,
  startNode,
  startPair,
  submission,
  url,
} from "../../support/client-world.ts";
import { refused } from "../../support/solo-node.ts";

describe("a client with a leader", () => {
  test("proposes a job and reads it back", async () => {
    const { client } = await startPair();

    const outcome = await client.propose(submission("k1"), CALL);
    if (outcome.kind !== "applied") throw new Error(outcome.kind);
    expect(outcome.applied.result).toMatchObject({
      $case: "submitted",
      value: { jobs: [{ jobId: "j-2", deduplicated: false }] },
    });

    const read = { read: { $case: "jobs" as const, value: { jobIds: ["j-2", "j-99"] } } };
    const answered = await client.read(read, CALL);
    if (answered.kind !== "answered") throw new Error(answered.kind);
    expect(answered.answer.jobs).toMatchObject([{ id: "j-2", kind: "greet", queue: "main" }]);
    expect(answered.answer.jobs[0]?.payload.toString()).toBe('{"name":"Ada"}');
  });

  test("lists jobs newest first, a page at a time and without their payloads", async () => {
    const { client } = await startPair();
    for (const key of ["a", "b", "c"]) await client.propose(submission(key), CALL);

    const list = ReadList.fromPartial({ pageSize: 2 });
    const page = await client.read({ read: { $case: "list", value: list } }, CALL);
    if (page.kind !== "answered") throw new Error(page.kind);
    expect(page.answer.jobs.map(({ id, payload }) => [id, payload.length])).toEqual([
      ["j-4", 0],
      ["j-3", 0],
    ]);
    expect(page.answer.hasMore).toBe(true);
  });

  test("sends the calls of one turn of the loop as one message, in order", async () => {
    const { node, client } = await startPair();
    const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);

    const outcomes = await Promise.all(keys.map((key) => client.propose(submission(key), CALL)));

    expect(outcomes.every(({ kind }) => kind === "applied")).toBe(true);
    expect(node.requests.map((calls) => calls.length)).toEqual([100]);
    expect(node.requests[0]?.map(({ callId }) => callId)).toEqual(keys.map((_, n) => n + 1));
  });

  test("cuts what is called in one turn at the bound of a batch", async () => {
    const { node, client } = await startPair();
    const keys = Array.from({ length: CLIENT_BATCH_CALLS_MAX + 1 }, (_, n) => `k${n}`);

    await Promise.all(keys.map((key) => client.propose(submission(key), CALL)));

    expect(node.requests.map((calls) => calls.length)).toEqual([CLIENT_BATCH_CALLS_MAX, 1]);
  });

  test("is told that a refused command cannot be read", async () => {
    const { client } = await startPair();

    await expect(client.propose({ kind: "tick" }, CALL)).rejects.toThrow("cannot read this call");
  });

  test("is told of overload at once, as nothing happened", async () => {
    const { node, client } = await startPair();
    node.intercept = () => refused(Refused_Reason.REASON_OVERLOADED);

    expect(await client.propose(submission("k"), CALL)).toEqual({
      kind: "unavailable",
      reason: "overloaded",
    });
  });

  test("hears each committed change as an event", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const client = await startClient({ follow: {} });
    const events: JobEvent[] = [];
    const finished = new Promise<void>((resolve) => {
      client.onEvent((event) => {
        events.push(event);
        if (event.event === "cancelled") resolve();
      });
    });
    node.lead(1);

    await client.propose(submission("k"), CALL);
    await client.propose({ kind: "cancel-job", jobId: "j-2", reason: "" }, CALL);
    await finished;

    expect(events).toMatchObject([
      { jobId: "j-2", queue: "main", event: "queued", index: 2, term: 1 },
      { jobId: "j-2", queue: "main", event: "cancelled", index: 3, term: 1 },
    ]);
  });

  test("hears of locks outside jobs if it follows them, and of nothing else as such", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const deaf = await startClient({ clientId: "deaf", follow: {} });
    const client = await startClient({ follow: { hasLocks: true } });
    const events: LockEvent[] = [];
    const heard: string[] = [];
    deaf.onLockEvent(() => heard.push("deaf"));
    deaf.onEvent(({ event }) => heard.push(event));
    const released = new Promise<void>((resolve) => {
      client.onLockEvent((event) => {
        events.push(event);
        if (event.event === "released") resolve();
      });
    });
    node.lead(1);

    const ask = { lockKeys: ["a", "b"], owner: "ada", requestId: "r", ttlMs: 60_000, waitMs: 0 };
    const outcome = await client.propose({ kind: "acquire-lock", ...ask }, CALL);
    const locks = [{ lockId: "l-2", token: 2 }];
    expect(outcome).toMatchObject({
      applied: { result: { $case: "locks", value: { standings: [{ lockId: "l-2", token: 2 }] } } },
    });
    await client.propose({ kind: "release-locks", locks }, CALL);
    await released;
    await deaf.propose(KIND, CALL);

    const lock = { lockId: "l-2", lockKeys: ["a", "b"], owner: "ada", token: 2, term: 1 };
    expect(events).toMatchObject([
      { ...lock, event: "granted", index: 2 },
      { ...lock, event: "released", index: 3 },
    ]);
    expect(heard).toEqual([]);
  });

  test("hears only the events that it follows, by queue or by name", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const deaf = await startClient({ follow: { queues: ["other"] } });
    const client = await startClient({
      follow: { queues: ["main"], events: ["queued", "cancelled"] },
    });
    const heard: string[] = [];
    deaf.onEvent(() => heard.push("deaf"));
    const awaitsCancels = await startClient({ clientId: "w1", follow: { events: ["cancelled"] } });
    awaitsCancels.onEvent(() => heard.push("awaits cancels"));
    const event = new Promise<void>((resolve) => {
      client.onEvent(() => {
        heard.push("client");
        resolve();
      });
    });
    node.lead(1);

    await client.propose(submission("k"), CALL);
    await event;
    // An answer to the other client comes behind anything that was on its way to it.
    await deaf.propose(KIND, CALL);
    await awaitsCancels.propose(KIND, CALL);

    expect(heard).toEqual(["client"]);
  });
});

describe("events on the exchange", () => {
  test("are JSON messages that a user's own queue can be bound to", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const connection = await amqp.connect(url);
    closers.push(() => connection.close());
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, EVENTS_EXCHANGE, "job.main.queued");
    const message = new Promise<amqp.ConsumeMessage>((resolve) => {
      channel.consume(queue, (got) => got !== null && resolve(got), { noAck: true });
    });
    node.lead(3);
    ledger.apply(submission("k"));

    const { content, fields, properties } = await message;
    expect(fields.routingKey).toBe("job.main.queued");
    expect(properties).toMatchObject({
      contentType: "application/json",
      type: "job.queued",
      messageId: "2.j-2.queued",
      appId: "quorumq",
      headers: { cluster },
    });
    expect(JSON.parse(content.toString())).toMatchObject({
      jobId: "j-2",
      event: "queued",
      term: 3,
    });
  });
});

describe("a call without an answer", () => {
  test("is unavailable if no leader ever took it", async () => {
    startLedger();
    const client = await startClient();
    expect(await client.propose(submission("k"), { ...CALL, timeoutMs: 100 })).toEqual({
      kind: "unavailable",
      reason: "no-leader",
    });
  });

  test("is unknown if a leader may have taken it", async () => {
    const { node, client } = await startPair();
    node.intercept = () => null;
    expect(await client.propose(submission("k"), { ...CALL, timeoutMs: 300 })).toEqual({
      kind: "unknown",
    });
  });

  test("goes again while the leader remains, since a message can vanish", async () => {
    const { node, client } = await startPair();
    node.intercept = () => {
      node.intercept = null;
      return null;
    };
    await expect(client.propose(submission("k"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
    expect(node.requests).toHaveLength(2);
  });

  test("ends when its caller gives up", async () => {
    const { node, client } = await startPair();
    const abort = new AbortController();
    node.intercept = () => {
      abort.abort();
      return null;
    };
    const options = { ...CALL, signal: abort.signal };
    expect(await client.propose(submission("k"), options)).toEqual({ kind: "unknown" });
    expect(await client.propose(submission("k"), options)).toEqual({
      kind: "unavailable",
      reason: "shutting-down",
    });
  });

  test("ends when the client closes: unknown if sent, else unavailable", async () => {
    const { node, client } = await startPair();
    node.intercept = () => null;
    const sent = client.propose(submission("k"), CALL);
    while (node.requests.length === 0) await turn();
    const unsent = client.propose(submission("l"), CALL);
    await client.close();
    expect(await sent).toEqual({ kind: "unknown" });
    expect(await unsent).toEqual({ kind: "unavailable", reason: "shutting-down" });
    expect(await client.propose(submission("m"), CALL)).toEqual({
      kind: "unavailable",
      reason: "shutting-down",
    });
  });
});

describe("garbage in a node's mailbox", () => {
  test("is dropped, counted by cause, and harms nobody", async () => {
    const { node, client } = await startPair();
    const connection = await amqp.connect(url);
    closers.push(() => connection.close());
    const channel = await connection.createConfirmChannel();
    const unreadable = encodeCall({ callId: 1, deadlineMs: 0, traceparent: "", call: undefined });
    const publish = (body: Buffer) => channel.publish(clientsExchange(cluster), "n1", body);
    publish(Buffer.from([0x08]));
    publish(Buffer.alloc(0));
    publish(encodeRequest("another-cluster", `quorumq.${cluster}.reply.x.y`, []));
    publish(encodeRequest(cluster, "a.queue.of.somebody.else", [unreadable]));
    publish(encodeRequest(cluster, `quorumq.${cluster}.reply.x.y`, [unreadable]));
    await channel.waitForConfirms();

    await expect(client.propose(submission("k"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
    expect(node.mailbox.dropped()).toMatchObject({
      malformed: 1,
      version: 1,
      cluster: 1,
      "reply-to": 1,
      "malformed-call": 1,
    });
  });
});
