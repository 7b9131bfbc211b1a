// TailLog over gRPC: every committed entry in order and once, and what ends it.

import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { LogEntry, TailLogRequest } from "../../../protos/gen/quorumq/v1/cluster_service.ts";
import { LOG_READ_ENTRIES_MAX } from "../../../transport/limit.ts";
import { type Edge, failureOf, startEdge } from "../../support/edge.ts";

jest.setTimeout(30_000);

let edge: Edge;

beforeEach(async () => {
  edge = await startEdge();
});
afterEach(() => edge.close());

function commit(count: number): void {
  for (let i = 0; i < count; i += 1) edge.quorum.apply({ kind: "open-term", leader: `n${i}` });
}

async function* entries(request: Partial<TailLogRequest>): AsyncGenerator<LogEntry, void> {
  const stream = edge.cluster.tailLog({ fromIndex: 0, follow: false, ...request });
  for await (const page of stream) yield* page.entries;
}

async function indexes(request: Partial<TailLogRequest>): Promise<number[]> {
  const found: number[] = [];
  for await (const { index } of entries(request)) found.push(index);
  return found;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

test("gives the whole log over many pages, or from an index on", async () => {
  const count = 2 * LOG_READ_ENTRIES_MAX + 7;
  commit(count);
  expect(await indexes({})).toEqual(range(1, count));
  expect(await indexes({ fromIndex: count - 2 })).toEqual(range(count - 2, count));
  expect(await indexes({ fromIndex: count + 5 })).toEqual([]);
});

test("of an empty log ends at once", async () => {
  expect(await indexes({})).toEqual([]);
});

test("says what an entry is", async () => {
  commit(1);
  const [first] = await Array.fromAsync(entries({}));
  expect(first).toMatchObject({ index: 1, term: 1, kind: "open-term", detail: '{"leader":"n0"}' });
  expect(first?.timeMs).toBeGreaterThan(0);
});

test("of a compacted entry is OUT_OF_RANGE and names the first one that is there", async () => {
  commit(3);
  await edge.cluster.takeSnapshot({});
  commit(2);
  expect(await failureOf(indexes({ fromIndex: 3 }))).toMatchObject({
    code: "OUT_OF_RANGE",
    reason: "LOG_COMPACTED",
    metadata: { index: "3", first_log_index: "4" },
  });
  expect(await indexes({})).toEqual([4, 5]);
});

test("follows what is committed later, until the caller leaves", async () => {
  commit(2);
  const followed = entries({ follow: true });
  expect((await followed.next()).value).toMatchObject({ index: 1 });
  expect((await followed.next()).value).toMatchObject({ index: 2 });
  const next = followed.next();
  commit(2);
  expect((await next).value).toMatchObject({ index: 3 });
  expect((await followed.next()).value).toMatchObject({ index: 4 });
  await followed.return();
});

test("tells a follower that the log was compacted under it", async () => {
  commit(1);
  const followed = entries({ follow: true });
  await followed.next();
  const next = failureOf(followed.next());
  // In one turn of the loop: no read can see entry 2.
  commit(1);
  edge.quorum.fulfil({ $case: "takeSnapshot", value: {} });
  commit(1);
  expect(await next).toMatchObject({
    reason: "LOG_COMPACTED",
    metadata: { index: "2", first_log_index: "3" },
  });
});

test("sends followers away when the gateway drains", async () => {
  commit(1);
  const followed = entries({ follow: true });
  await followed.next();
  const next = failureOf(followed.next());
  await edge.gateway.close(5_000);
  expect(await next).toMatchObject({ code: "UNAVAILABLE", reason: "SHUTTING_DOWN" });
});

test("ends at the caller's deadline", async () => {
  commit(1);
  const stream = edge.cluster.tailLog({ fromIndex: 0, follow: true }, { timeoutMs: 600 });
  const pages = stream[Symbol.asyncIterator]();
  await pages.next();
  expect(await failureOf(pages.next())).toMatchObject({ code: "DEADLINE_EXCEEDED" });
});
