// The whole stack, healthy: real RabbitMQ and Redis, three nodes, a gateway, two workers, each a
// process of its own, seen from outside as its users see it.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { JobState } from "../../../protos/gen/quorumq/v1/job.ts";
import { connectJobs, type JobsConnection } from "../../../transport/grpc/client.ts";
import { createClient } from "../../../workers/client.ts";
import { chargeOrder } from "../../../workers/examples/charge-order.ts";
import { raceKey } from "../../chaos/race/key-race.ts";
import { openStackDoors, type StackDoors } from "../../chaos/race/stack-doors.ts";
import { raceWaits } from "../../chaos/race/wait-race.ts";
import { failureOf } from "../../support/edge.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { logCounts, publishGarbage, untilManagementShows } from "../../support/outside.ts";
import { LocalStack } from "../../support/stack.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(120_000);

const NODE_IDS = ["n1", "n2", "n3"];

let stack: LocalStack;
let connection: JobsConnection;

beforeAll(async () => {
  stack = await LocalStack.start({ dir: temporaryFolder("stack") });
  atEnd(async () => {
    await stack.stop();
  });
  connection = connectJobs({ address: stack.address });
  atEnd(() => connection.close());
}, 240_000);

const greetSpec = (name: string, change: object = {}) =>
  jobSpec({ kind: "greet", payload: Buffer.from(JSON.stringify({ name })), ...change });

describe("the local stack", () => {
  test("greets before it says that it is ready", () => {
    expect(stack.output).toMatch(/SayHello\("world"\) answered "Hello world"/);
    expect(stack.output).toMatch(/job j-\d+ +trace [0-9a-f]{32}/);
  });

  test("runs three nodes as three processes with a disk each", () => {
    const nodes = stack.processes("node");
    expect(new Set(nodes.map(({ pid }) => pid)).size).toBe(3);
    for (const { id } of nodes) {
      expect(existsSync(join(stack.dir, "nodes", id, "raft.sqlite"))).toBe(true);
    }
  });

  test("shows its connections and mailboxes by name in RabbitMQ's management", async () => {
    const uses = ["raft publish", "raft consume", "clients publish", "clients consume"];
    const wanted = NODE_IDS.flatMap((id) => uses.map((use) => `quorumq ${id} ${use}`));
    const connections = await untilManagementShows(stack, "connections", (names) =>
      wanted.every((name) => names.includes(name)),
    );
    expect(connections).toEqual(expect.arrayContaining(wanted));
    const mailboxes = NODE_IDS.flatMap((id) => [
      new RegExp(`^quorumq\\..*\\.raft\\.${id}\\.\\d+\\.control$`),
      new RegExp(`^quorumq\\..*\\.raft\\.${id}\\.\\d+\\.append$`),
    ]);
    const queues = await untilManagementShows(stack, "queues", (names) =>
      mailboxes.every((mailbox) => names.some((name) => mailbox.test(name))),
    );
    for (const mailbox of mailboxes) {
      expect(queues).toContainEqual(expect.stringMatching(mailbox));
    }
  });

  test("gives a typed client its typed result, through a lock and retries", async () => {
    const client = createClient({ address: stack.address });
    const order = { orderId: randomUUID(), accountId: "a-1", amountCents: 5 };
    const result = await client.run(chargeOrder, order, { deadlineMs: 30_000 });
    expect(result.authorization).toBe(`auth-${order.orderId}`);
    client.close();
  });

  test("tells the cluster as its leader sees it", async () => {
    const cluster = await connection.cluster.getCluster({});
    expect(cluster.nodes.map(({ id }) => id)).toEqual(NODE_IDS);
    expect(cluster.nodes.map(({ incarnation }) => incarnation)).toEqual([1, 1, 1]);
    expect(cluster.commitIndex).toBeGreaterThan(0);
  });
});

describe("an idempotency key", () => {
  test("used twice for the same job gives the first job's id", async () => {
    const job = greetSpec("twice", { idempotencyKey: randomUUID() });
    const first = await connection.jobs.submitJob({ job });
    const second = await connection.jobs.submitJob({ job });
    expect(second.jobId).toBe(first.jobId);
    expect([first.deduplicated, second.deduplicated]).toEqual([false, true]);
  });

  test("used for another payload is refused, and names the first job", async () => {
    const idempotencyKey = randomUUID();
    const first = await connection.jobs.submitJob({ job: greetSpec("one", { idempotencyKey }) });
    const failure = await failureOf(
      connection.jobs.submitJob({ job: greetSpec("other", { idempotencyKey }) }),
    );
    expect(failure.code).toBe("ALREADY_EXISTS");
    expect(failure.reason).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(failure.message).toContain(first.jobId);
  });
});

describe("over HTTP", () => {
  test("a job runs and is told as JSON", async () => {
    const answer = await fetch(`${stack.endpoint("console")}/v1/jobs?wait=true`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"kind":"greet","payload":{"name":"HTTP"}}',
    });
    expect(await answer.json()).toMatchObject({
      state: "JOB_STATE_SUCCEEDED",
      result: { message: "Hello HTTP" },
    });
  });
});

describe("many callers at once, through gateways and the console", () => {
  let open: StackDoors;

  beforeAll(async () => {
    open = await openStackDoors(stack, 1);
    atEnd(() => open.close());
  });

  test("no wait or watch around short jobs hangs, misses the end or repeats a change", async () => {
    const race = { doors: open.doors, count: 200, inflightMax: 50, seed: 3, timeoutMs: 60_000 };
    const { failures } = await raceWaits({ ...race, specOf: (n) => greetSpec(`n${n}`) });
    expect(failures).toEqual([]);
  });

  test("one key is one job, also when that has left the queue", async () => {
    const { doors, connection: own, untilGone } = open;
    const spec = greetSpec("one");
    const report = await raceKey({ doors, connection: own, untilGone, count: 60, spec });
    expect(report).toMatchObject({ submissions: 120, attempts: 1, failures: [] });
  });
});

describe("bad input", () => {
  const rows: readonly [string, object, string, string, string][] = [
    ["not JSON", { payload: Buffer.from("{") }, "INVALID_ARGUMENT", "INVALID_FIELD", "job.payload"],
    [
      "over the limit",
      { payload: Buffer.from(JSON.stringify("x".repeat(300_000))) },
      "INVALID_ARGUMENT",
      "PAYLOAD_TOO_LARGE",
      "job.payload",
    ],
    ["unknown kind", { kind: "no-such" }, "INVALID_ARGUMENT", "INVALID_FIELD", "job.kind"],
    ["empty kind", { kind: "" }, "INVALID_ARGUMENT", "INVALID_FIELD", "job.kind"],
    ["negative priority", { priority: -1 }, "INVALID_ARGUMENT", "INVALID_FIELD", "job.priority"],
  ];

  test.each(rows)("%s is refused by name", async (_title, change, code, reason, field) => {
    const failure = await failureOf(connection.jobs.submitJob({ job: greetSpec("x", change) }));
    expect([failure.code, failure.reason]).toEqual([code, reason]);
    expect(failure.violations.map((violation) => violation.field)).toEqual([field]);
  });

  test("a message of 5 MiB is refused before it is read", async () => {
    const payload = Buffer.alloc(5 * 1024 * 1024, 0x20);
    const failure = await failureOf(
      connection.jobs.submitJob({ job: greetSpec("x", { payload }) }),
    );
    expect(failure.code).toBe("RESOURCE_EXHAUSTED");
  });

  test("garbage in a node's mailboxes is dropped and counted, and nothing else happens", async () => {
    const before = await connection.cluster.getCluster({});
    await publishGarbage(stack, 20);
    // Each node says what it dropped when it changes; the leader goes on as before.
    await logCounts(stack, NODE_IDS, 20);
    const after = await connection.cluster.getCluster({});
    expect([after.leaderId, after.term]).toEqual([before.leaderId, before.term]);
    const { job } = await connection.jobs.runJob({ job: greetSpec("after garbage") });
    expect(job?.state).toBe(JobState.JOB_STATE_SUCCEEDED);
  });
});
