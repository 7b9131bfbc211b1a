// helloworld.Greeter with a stock client: greetings that are real jobs, or none at all.

import {
  type Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { PAYLOAD_BYTES_MAX } from "../../../transport/limit.ts";
import { all, type Edge, each, failureOf, startEdge } from "../../support/edge.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds, runTinyExecutor, type TinyExecutor } from "../../support/tiny-executor.ts";

jest.setTimeout(30_000);

interface HelloReply {
  readonly message: string;
}

/** As the examples of grpc-node make it, from nothing but the published proto. */
type StockGreeter = Client & {
  sayHello(
    request: { name: string },
    callback: (error: ServiceError | null, reply: HelloReply) => void,
  ): void;
  sayHelloStreamReply(request: { name: string }): AsyncIterable<HelloReply>;
  sayHelloBidiStream(): AsyncIterable<HelloReply> & {
    write(request: { name: string }): void;
    end(): void;
  };
};

const stockPackage = loadPackageDefinition(loadSync("protos/helloworld.proto"))[
  "helloworld"
] as unknown as { Greeter: ServiceClientConstructor };

describe("a stock client", () => {
  let edge: Edge;
  let executor: TinyExecutor;
  let stock: StockGreeter;

  beforeAll(async () => {
    edge = await startEdge();
    executor = await runTinyExecutor(edge.quorum, {
      greet: (input) => ({ result: { message: `Hello ${(input as { name: string }).name}` } }),
    });
    stock = new stockPackage.Greeter(
      edge.address,
      credentials.createInsecure(),
    ) as unknown as StockGreeter;
    atEnd(() => stock.close());
  });

  const sayHello = (name: string): Promise<HelloReply> =>
    new Promise((resolve, reject) => {
      stock.sayHello({ name }, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });

  test("gets the recorded result of a real job from SayHello", async () => {
    const before = executor.started.length;
    expect(await sayHello("world")).toEqual({ message: "Hello world" });
    expect(executor.started.slice(before)).toHaveLength(1);
    const job = edge.quorum.ledger.jobs.get(executor.started.at(-1) ?? "");
    expect(Buffer.from(job?.result ?? []).toString("utf8")).toBe('{"message":"Hello world"}');
  });

  test.each(["", "Zoë 🦊", '"quoted"\n', "x".repeat(10_000)])(
    "may have any name: %#",
    async (name) => {
      expect(await sayHello(name)).toEqual({ message: `Hello ${name}` });
    },
  );

  test("gets one reply from SayHelloStreamReply", async () => {
    expect(await all(stock.sayHelloStreamReply({ name: "stream" }))).toEqual([
      { message: "Hello stream" },
    ]);
  });

  test("gets a reply a message, in order, from SayHelloBidiStream", async () => {
    const names = Array.from({ length: 200 }, (_, i) => `n${i}`);
    const stream = stock.sayHelloBidiStream();
    for (const name of names) stream.write({ name });
    stream.end();
    const replies = await all(stream);
    expect(replies.map(({ message }) => message)).toEqual(names.map((name) => `Hello ${name}`));
  });

  test("gets each reply of SayHelloBidiStream while the stream is still open", async () => {
    const stream = stock.sayHelloBidiStream();
    const replies = stream[Symbol.asyncIterator]();
    for (const name of ["first", "second"]) {
      stream.write({ name });
      expect((await replies.next()).value).toEqual({ message: `Hello ${name}` });
    }
    stream.end();
    expect((await replies.next()).done).toBe(true);
  });
});

describe("when the pipeline cannot greet", () => {
  test("a kind that nobody registered is UNAVAILABLE", async () => {
    const { greeter } = await startEdge();
    const error = await failureOf(greeter.sayHello({ name: "x" }, { timeoutMs: 1_000 }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.reason).toBe("NO_WORKER_RAN_IT");
    expect(error.retryDelayMs).toBeGreaterThan(0);
  });

  test("no worker within the deadline is UNAVAILABLE, and names the job", async () => {
    const edge = await startEdge();
    await registerKinds(edge.quorum, ["greet"]);
    const error = await failureOf(edge.greeter.sayHello({ name: "x" }, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "NO_WORKER_RAN_IT" });
    expect(edge.quorum.ledger.jobs.has(error.metadata["job_id"] ?? "")).toBe(true);
  });

  test("no leader is UNAVAILABLE, whether or not the job was delivered", async () => {
    const edge = await startEdge();
    edge.quorum.interrupt({ kind: "unavailable", reason: "no-leader" });
    const options = { timeoutMs: 1_000 };
    expect(await failureOf(edge.greeter.sayHello({ name: "x" }, options))).toMatchObject({
      code: "UNAVAILABLE",
      reason: "NO_LEADER",
    });
    edge.quorum.interrupt({ kind: "unknown" });
    expect(await failureOf(edge.greeter.sayHello({ name: "x" }, options))).toMatchObject({
      code: "UNAVAILABLE",
      reason: "NO_LEADER",
    });
  });

  test.each([
    ["fails", { error: { code: "Oops", message: "no", retryable: false } }],
    ["answers with nothing", { result: null }],
    ["answers with something else", { result: { message: 5 } }],
  ])("a handler that %s is UNAVAILABLE, never a made-up greeting", async (_what, outcome) => {
    const edge = await startEdge();
    await runTinyExecutor(edge.quorum, { greet: () => outcome });
    const error = await failureOf(edge.greeter.sayHello({ name: "x" }, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ code: "UNAVAILABLE", reason: "GREETING_FAILED" });
    expect(error.retryDelayMs).toBeGreaterThan(0);
  });

  test("streams end with the same status, after the replies before it", async () => {
    const edge = await startEdge();
    await runTinyExecutor(edge.quorum, {
      greet: (input) =>
        (input as { name: string }).name === "bad"
          ? { error: { code: "Oops", message: "no", retryable: false } }
          : { result: { message: "Hello" } },
    });
    const replies: string[] = [];
    const names = each(["a", "b", "bad", "c"].map((name) => ({ name })));
    const reading = async (): Promise<void> => {
      for await (const { message } of edge.greeter.sayHelloBidiStream(names)) replies.push(message);
    };
    expect((await failureOf(reading())).reason).toBe("GREETING_FAILED");
    expect(replies).toEqual(["Hello", "Hello"]);
    const single = all(edge.greeter.sayHelloStreamReply({ name: "bad" }));
    expect((await failureOf(single)).reason).toBe("GREETING_FAILED");
  });

  test("a name over the payload's limit is the caller's fault", async () => {
    const { greeter } = await startEdge();
    const error = await failureOf(greeter.sayHello({ name: "x".repeat(PAYLOAD_BYTES_MAX) }));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "PAYLOAD_TOO_LARGE" });
    expect(error.violations).toMatchObject([{ field: "name" }]);
  });
});
