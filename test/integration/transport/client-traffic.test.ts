// Calls of gateways and workers to nodes over a real RabbitMQ, with the ledger behind the mailbox.

import { randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import amqp from "amqplib";
import type { CommandBody } from "../../../ledger/command.ts";
import { Refused_Reason } from "../../../protos/gen/node/v1/exchange.ts";
import { AmqpQuorum, type OpenQuorumOptions } from "../../../transport/amqp/amqp-quorum.ts";
import {
  clientsExchange,
  EVENTS_EXCHANGE,
  leaderExchange,
} from "../../../transport/amqp/topology.ts";
import { encodeBeacon, encodeCall, encodeRequest } from "../../../transport/call-codec.ts";
import { CLIENT_BATCH_CALLS_MAX } from "../../../transport/limit.ts";
import type { JobEvent, LeaderView } from "../../../transport/quorum.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { refused, SoloNode } from "../../support/solo-node.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const KIND: CommandBody = {
  kind: "register-kinds",
  kinds: [
    {
      kind: "greet",
      queue: "main",
      maxAttempts: 3,
      backoff: { initialMs: 100, multiplier: 2, maxMs: 1_000 },
      attemptTimeoutMs: 0,
      lockTemplates: [],
    },
  ],
};
const CALL = { timeoutMs: 10_000, traceparent: "" };

let url = "";
let cluster = "";
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  ({ url } = await sharedBroker());
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function submission(idempotencyKey: string): CommandBody {
  return {
    kind: "submit-jobs",
    jobs: [
      {
        kind: "greet",
        queue: "",
        payload: Buffer.from('{"name":"Ada"}'),
        priority: 0,
        runAtMs: 0,
        maxAttempts: 0,
        backoff: null,
        attemptTimeoutMs: 0,
        lockKeys: [],
        idempotencyKey,
        traceparent: "",
      },
    ],
  };
}

function startLedger(): SoloQuorum {
  cluster = `c${randomBytes(4).toString("hex")}`;
  const ledger = new SoloQuorum();
  ledger.apply(KIND);
  closers.push(() => ledger.close());
  return ledger;
}

async function startNode(nodeId: string, quorum: SoloQuorum): Promise<SoloNode> {
  const node = new SoloNode({ url, cluster, nodeId, quorum });
  closers.push(() => node.close());
  await node.mailbox.connected();
  return node;
}

async function startClient(options: Partial<OpenQuorumOptions> = {}): Promise<AmqpQuorum> {
  const client = new AmqpQuorum({
    url,
    cluster,
    clientId: "g1",
    role: "gateway",
    logger: silentLogger(),
    followEvents: false,
    ...options,
  });
  closers.push(() => client.close());
  await client.connected();
  return client;
}

function untilLeader(client: AmqpQuorum, isWanted: (view: LeaderView) => boolean): Promise<void> {
  if (isWanted(client.leader())) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = client.onLeader((view) => {
      if (!isWanted(view)) return;
      stop();
      resolve();
    });
  });
}

/** One beacon, as from a node that is silent afterwards. */
async function sendBeacon(node: string, term: number): Promise<void> {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  channel.publish(leaderExchange(cluster), "", encodeBeacon({ node, incarnation: 1, term }));
  await channel.waitForConfirms();
  await connection.close();
}

async function startPair(): Promise<{ ledger: SoloQuorum; node: SoloNode; client: AmqpQuorum }> {
  const ledger = startLedger();
  const node = await startNode("n1", ledger);
  const client = await startClient();
  node.lead(1);
  await untilLeader(client, ({ leader }) => leader === "n1");
  return { ledger, node, client };
}

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

    const list = { pageSize: 2, beforeJobId: "", state: 0 as const, kind: "", queue: "" };
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
    const client = await startClient({ followEvents: true });
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

  test("hears only the events of the queues it follows", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const deaf = await startClient({ followEvents: true, eventQueues: ["other"] });
    const client = await startClient({ followEvents: true, eventQueues: ["main"] });
    const heard: string[] = [];
    deaf.onEvent(() => heard.push("deaf"));
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
    });
    expect(JSON.parse(content.toString())).toMatchObject({
      jobId: "j-2",
      event: "queued",
      term: 3,
    });
  });
});

describe("when the leader changes", () => {
  test("open calls follow to the next leader, and an unanswered one is applied once", async () => {
    const ledger = startLedger();
    const first = await startNode("n1", ledger);
    const second = await startNode("n2", ledger);
    const client = await startClient();
    // Takes effect, and the answer is lost with the leader.
    first.intercept = (call) => {
      if (call.call?.$case === "propose") ledger.apply(submission("k"));
      void first.close();
      return null;
    };
    first.lead(1);
    await untilLeader(client, ({ leader }) => leader === "n1");

    const outcome = client.propose(submission("k"), CALL);
    while (first.requests.length === 0) await turn();
    second.lead(2);

    const { kind, applied } = (await outcome) as { kind: string; applied?: unknown };
    expect(kind).toBe("applied");
    expect(applied).toMatchObject({
      result: { value: { jobs: [{ jobId: "j-2", deduplicated: true }] } },
    });
  });

  test("calls to a mailbox that is gone come back: nothing happened", async () => {
    startLedger();
    const client = await startClient();
    await sendBeacon("gone", 5);
    await untilLeader(client, ({ leader }) => leader === "gone");
    const returned = untilLeader(client, ({ leader }) => leader === null);

    const outcome = client.propose(submission("k"), { ...CALL, timeoutMs: 1_000 });

    await returned;
    expect(await outcome).toEqual({ kind: "unavailable", reason: "no-leader" });
  });

  test("calls that came back go to the next leader", async () => {
    const ledger = startLedger();
    const node = await startNode("n1", ledger);
    const client = await startClient();
    await sendBeacon("gone", 5);
    await untilLeader(client, ({ leader }) => leader === "gone");
    const returned = untilLeader(client, ({ leader }) => leader === null);
    const outcome = client.propose(submission("k"), CALL);
    await returned;
    node.lead(6);

    await expect(outcome).resolves.toMatchObject({ kind: "applied" });
    expect(node.requests).toHaveLength(1);
  });

  test("a node that refuses is not asked again in its term, and its hint is followed", async () => {
    const { ledger, node, client } = await startPair();
    const second = await startNode("n2", ledger);
    node.intercept = () => refused(Refused_Reason.REASON_NOT_LEADER, "n2");
    second.leadUnheard(2);

    await expect(client.propose(submission("k"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
    // The first still says that it leads; one round behind its word is not enough to be believed.
    await sendBeacon("n1", 1);
    await expect(client.propose(submission("l"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
    expect(client.leader().leader).toBe("n2");
    expect([node.requests.length, second.requests.length]).toEqual([1, 2]);
  });

  test("followers are told of a gap in the events", async () => {
    const { ledger, client } = await startPair();
    const second = await startNode("n2", ledger);
    const gap = new Promise<void>((resolve) => client.onEventGap(resolve));
    second.lead(2);
    await gap;
    expect(client.leader()).toEqual({ leader: "n2", term: 2 });
  });

  test("an outcome that the leader does not know is asked again", async () => {
    const { ledger, node, client } = await startPair();
    const second = await startNode("n2", ledger);
    node.intercept = () => {
      node.lead(0);
      second.lead(2);
      return refused(Refused_Reason.REASON_OUTCOME_UNKNOWN);
    };
    await expect(client.propose(submission("k"), CALL)).resolves.toMatchObject({
      kind: "applied",
    });
  });

  test("two seconds without a beacon mean that no leader is known", async () => {
    startLedger();
    const client = await startClient();
    await sendBeacon("n1", 1);
    await untilLeader(client, ({ leader }) => leader === "n1");
    const heardAtMs = performance.now();
    await untilLeader(client, ({ leader }) => leader === null);
    expect(performance.now() - heardAtMs).toBeGreaterThan(1_900);
    expect(client.leader()).toEqual({ leader: null, term: 1 });
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
