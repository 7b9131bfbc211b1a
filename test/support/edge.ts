// A gateway on a free port over a quorum of one, and its client: the gRPC edge without the rest.

import { connectJobs, type JobsConnection } from "../../transport/grpc/client.ts";
import { PipelineError } from "../../transport/pipeline-error.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { createGateway, type Gateway } from "../../workers/gateway.ts";
import { SoloQuorum } from "./solo-quorum.ts";
import { atEnd } from "./teardown.ts";

export interface Edge extends JobsConnection {
  readonly quorum: SoloQuorum;
  readonly gateway: Gateway;
  readonly address: string;
}

/** Closed after the file's last test. */
export async function startEdge(quorum: SoloQuorum = new SoloQuorum()): Promise<Edge> {
  const gateway = await createGateway({
    quorum,
    host: "127.0.0.1",
    port: 0,
    logger: silentLogger(),
  });
  const address = `127.0.0.1:${gateway.port}`;
  const connection = connectJobs({ address });
  atEnd(async () => {
    connection.close();
    await gateway.close(1_000);
    await quorum.close();
  });
  return { ...connection, quorum, gateway, address };
}

/** The error that the call ends with. */
export async function failureOf(call: Promise<unknown>): Promise<PipelineError> {
  try {
    await call;
  } catch (thrown) {
    if (thrown instanceof PipelineError) return thrown;
    throw thrown;
  }
  throw new Error("the call succeeded");
}

/**
 * What the gateway says when the time is over, with details. On a busy machine gRPC's own deadline,
 * which knows nothing, may be faster: then once more.
 */
export async function toldByGateway(call: () => Promise<unknown>): Promise<PipelineError> {
  for (let left = 5; ; left -= 1) {
    const error = await failureOf(call());
    if (left === 1 || Object.keys(error.metadata).length > 0) return error;
  }
}

export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
