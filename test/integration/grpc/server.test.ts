// The server itself: reflection, health, methods to come, faults of the quorum, deadlines, drain.

import { setMaxListeners } from "node:events";
import {
  Client,
  credentials,
  status as GrpcCode,
  type Metadata,
  makeGenericClientConstructor,
  type ServiceDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { service as healthService } from "grpc-health-check";
import { ClusterServiceService } from "../../../protos/gen/quorumq/v1/cluster_service.ts";
import { JobServiceService } from "../../../protos/gen/quorumq/v1/job_service.ts";
import { connectJobs } from "../../../transport/grpc/client.ts";
import { fromStatus } from "../../../transport/grpc/status.ts";
import { GRPC_STREAMS_MAX } from "../../../transport/limit.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createGateway } from "../../../workers/gateway.ts";
import { all, type Edge, failureOf, startEdge, toldByGateway } from "../../support/edge.ts";
import { jobSpec } from "../../support/job-spec.ts";
import { SoloQuorum } from "../../support/solo-quorum.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(90_000);

let edge: Edge;
let raw: Client;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["echo"]);
  raw = new Client(edge.address, credentials.createInsecure());
  atEnd(() => raw.close());
});

interface Outcome {
  readonly error: ServiceError | null;
  readonly trailer: Metadata;
}

/** A unary call made of bytes, as any client in any language could make it. */
function rawCall(path: string, bytes: Buffer, deadline: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let failure: ServiceError | null = null;
    const same = (buffer: Buffer): Buffer => buffer;
    const call = raw.makeUnaryRequest(path, same, same, bytes, { deadline } as never, (error) => {
      failure = error;
    });
    call.on("status", ({ metadata }) => resolve({ error: failure, trailer: metadata }));
  });
}

const inTime = (): number => Date.now() + 5_000;

describe("a crowd of callers on one connection", () => {
  test("takes no other call along when it goes away and comes back at once", async () => {
    const { jobId } = await edge.jobs.submitJob({ job: jobSpec({ kind: "echo" }) });
    const steady = edge.jobs.waitJob({ jobId }, { timeoutMs: 55_000 });
    const codes = new Set<string>();
    const wave = (): { readonly leave: () => void; readonly gone: Promise<unknown> } => {
      const { signal, abort } = abortable();
      const calls = Array.from({ length: GRPC_STREAMS_MAX - 100 }, async () => {
        const { code } = await failureOf(edge.jobs.waitJob({ jobId }, { signal }));
        codes.add(code);
      });
      return { leave: abort, gone: Promise.all(calls) };
    };
    const first = wave();
    // Behind all of them on the same connection.
    await edge.cluster.getCluster({});
    first.leave();
    const second = wave();
    await first.gone;
    second.leave();
    await second.gone;
    const options = { timeoutMs: 1_000, traceparent: "" };
    await edge.quorum.propose({ kind: "cancel-job", jobId, reason: "" }, options);
    expect((await steady).job?.id).toBe(jobId);
    expect(["CANCELLED", "RESOURCE_EXHAUSTED"]).toEqual(expect.arrayContaining([...codes]));
  });
});

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  // Each call listens to it.
  setMaxListeners(0, controller.signal);
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe("methods of later versions", () => {
  const definitions = { ...JobServiceService, ...ClusterServiceService };
  const others = Object.entries(definitions).filter(([name]) => name === "backup");

  test.each(others.map(([, { path }]) => path))(
    "%s is UNIMPLEMENTED with a reason",
    async (path) => {
      const { error } = await rawCall(path, Buffer.alloc(0), inTime());
      const told = fromStatus(error ?? { code: 0, details: "" });
      expect(told).toMatchObject({ code: "UNIMPLEMENTED", reason: "METHOD_NOT_IMPLEMENTED" });
      expect(told.metadata["method"]).toBe(path.slice(1));
    },
  );
});

describe("requests that no generated client sends", () => {
  test("bytes that are no message are INVALID_ARGUMENT, not INTERNAL", async () => {
    const { error } = await rawCall(
      "/quorumq.v1.JobService/GetJob",
      Buffer.from([0x0a, 0xff]),
      inTime(),
    );
    expect(fromStatus(error ?? { code: 0, details: "" })).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "MALFORMED_REQUEST",
    });
  });

  test("an unknown method is UNIMPLEMENTED", async () => {
    const { error } = await rawCall("/quorumq.v1.JobService/Nothing", Buffer.alloc(0), inTime());
    expect(error?.code).toBe(GrpcCode.UNIMPLEMENTED);
  });
});

describe("reflection", () => {
  const REFLECTION_PROTOS = "node_modules/@grpc/reflection/build/proto/grpc/reflection";

  test.each(["v1", "v1alpha"])("%s lists every service", async (version) => {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const definition = loadSync(`${REFLECTION_PROTOS}/${version}/reflection.proto`)[name];
    const Reflection = makeGenericClientConstructor(definition as ServiceDefinition, name);
    const client = new Reflection(edge.address, credentials.createInsecure());
    const stream = client["serverReflectionInfo"]?.() as ReturnType<
      Client["makeBidiStreamRequest"]
    >;
    stream.write({ listServices: "" });
    stream.end();
    const [answer] = (await stream.toArray()) as {
      listServicesResponse: { service: { name: string }[] };
    }[];
    client.close();
    expect(answer?.listServicesResponse.service.map((service) => service.name)).toEqual(
      expect.arrayContaining([
        "grpc.health.v1.Health",
        "helloworld.Greeter",
        "quorumq.v1.ClusterService",
        "quorumq.v1.JobService",
      ]),
    );
  });
});

describe("health", () => {
  const SERVICES = ["", "helloworld.Greeter", "quorumq.v1.JobService", "quorumq.v1.ClusterService"];
  const Health = makeGenericClientConstructor(healthService as ServiceDefinition, "Health");

  function check(service: string): Promise<string> {
    const client = new Health(edge.address, credentials.createInsecure());
    return new Promise((resolve, reject) => {
      client["check"]?.({ service }, (error: ServiceError | null, answer: { status: string }) => {
        client.close();
        if (error === null) resolve(answer.status);
        else reject(error);
      });
    });
  }

  test.each(SERVICES)('of "%s" follows the leader', async (service) => {
    expect(await check(service)).toBe("SERVING");
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    expect(await check(service)).toBe("NOT_SERVING");
    edge.quorum.restore();
    expect(await check(service)).toBe("SERVING");
  });

  test("of a service that is not here is NOT_FOUND", async () => {
    await expect(check("nobody.Nothing")).rejects.toMatchObject({ code: GrpcCode.NOT_FOUND });
  });
});

describe("without an answer from the quorum", () => {
  test.each([
    ["no-leader", "UNAVAILABLE", "NO_LEADER"],
    ["broker-unavailable", "UNAVAILABLE", "BROKER_UNAVAILABLE"],
    ["shutting-down", "UNAVAILABLE", "SHUTTING_DOWN"],
    ["overloaded", "RESOURCE_EXHAUSTED", "BACKLOG_FULL"],
  ] as const)("%s is %s %s, safe to retry, with a time to do so", async (reason, code, told) => {
    edge.quorum.interrupt({ kind: "unavailable", reason });
    const errors = await Promise.all([
      failureOf(edge.jobs.submitJob({ job: jobSpec() })),
      failureOf(edge.jobs.batchSubmitJobs({ jobs: [jobSpec()] })),
      failureOf(edge.jobs.cancelJob({ jobId: "j-1", reason: "" })),
      failureOf(edge.jobs.getJob({ jobId: "j-1" })),
      failureOf(edge.cluster.getCluster({})),
    ]);
    edge.quorum.restore();
    for (const error of errors) {
      expect(error).toMatchObject({ code, reason: told, retry: "safe" });
      expect(error.retryDelayMs).toBeGreaterThan(0);
    }
  });

  test("an unknown outcome is told before the deadline, with the key to ask again with", async () => {
    edge.quorum.interrupt({ kind: "unknown" });
    const job = jobSpec({ idempotencyKey: "k-1" });
    const submitting = toldByGateway(() => edge.jobs.submitJob({ job }, { timeoutMs: 1_000 }));
    const batching = toldByGateway(() =>
      edge.jobs.batchSubmitJobs({ jobs: [job, jobSpec()] }, { timeoutMs: 1_000 }),
    );
    const cancelling = toldByGateway(() =>
      edge.jobs.cancelJob({ jobId: "j-1", reason: "" }, { timeoutMs: 1_000 }),
    );
    for (const error of await Promise.all([submitting, batching, cancelling])) {
      expect(error).toMatchObject({
        code: "DEADLINE_EXCEEDED",
        reason: "OUTCOME_UNKNOWN",
        retry: "same-key",
      });
      // Values that gRPC's own deadline would not have: the gateway answered in time.
      expect(Object.values(error.metadata).length).toBeGreaterThan(0);
    }
    expect((await submitting).metadata).toEqual({ idempotency_key: "k-1" });
    expect((await submitting).rawMessage).toContain('"k-1"');
    edge.quorum.restore();
  });

  test("what may have been delivered is sent again until it is answered", async () => {
    edge.quorum.interrupt({ kind: "unknown" });
    const submitting = edge.jobs.submitJob({ job: jobSpec() });
    edge.quorum.restore();
    expect((await submitting).jobId).toMatch(/^j-/);
  });

  test("what may have been delivered is never told as not happened", async () => {
    edge.quorum.interrupt({ kind: "unknown" });
    const submitting = failureOf(edge.jobs.submitJob({ job: jobSpec() }, { timeoutMs: 1_200 }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    expect((await submitting).reason).toBe("OUTCOME_UNKNOWN");
    edge.quorum.restore();
  });
});

describe("deadlines", () => {
  test("a call whose time is over does nothing", async () => {
    const before = edge.quorum.proposed.length;
    const { error } = await rawCall(
      "/quorumq.v1.JobService/SubmitJob",
      Buffer.alloc(0),
      Date.now() - 1,
    );
    expect(error?.code).toBe(GrpcCode.DEADLINE_EXCEEDED);
    expect(edge.quorum.proposed).toHaveLength(before);
  });
});

describe("draining", () => {
  test("sends waiting callers away, finishes the others and closes the port", async () => {
    const quorum = new SoloQuorum();
    await registerKinds(quorum, ["echo"]);
    const gateway = await createGateway({
      quorum,
      host: "127.0.0.1",
      port: 0,
      logger: silentLogger(),
    });
    const other = await startEdge(quorum);
    const { jobs, close } = connectJobs({ address: `127.0.0.1:${gateway.port}` });
    const { jobId } = await jobs.submitJob({ job: jobSpec() });
    const watching = failureOf(all(jobs.watchJob({ jobId, afterIndex: 0 })));
    const running = failureOf(jobs.runJob({ job: jobSpec({ idempotencyKey: "run-1" }) }));
    while (quorum.proposed.filter(({ kind }) => kind === "submit-jobs").length < 2) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const startMs = performance.now();
    await gateway.close(400);
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(await watching).toMatchObject({ code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
    // Accepted, so the channel must not run it again by itself.
    expect(await running).toMatchObject({
      reason: "SHUTTING_DOWN",
      retry: "same-key",
      metadata: { idempotency_key: "run-1" },
    });
    expect((await other.jobs.getJob({ jobId })).job?.id).toBe(jobId);
    expect(await failureOf(jobs.getJob({ jobId }))).toMatchObject({ reason: "UNREACHABLE" });
    close();
  });
});
