// Thousands of callers that break off: whatever they waited for, nothing of them stays at the
// gateway, at the console or in the ledger.

import { connect, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { refusal } from "../../../transport/reason.ts";
import { ServedCall } from "../../../transport/served-call.ts";
import { silentLogger } from "../../../transport/telemetry/logger.ts";
import { createConsole } from "../../../workers/console.ts";
import type { OpenCounts } from "../../../workers/gateway/open-counts.ts";
import { workHandlers } from "../../../workers/gateway/work.ts";
import { RemoteWorkers } from "../../../workers/remote/sessions.ts";
import { all, type Edge, failureOf, startEdge } from "../../support/edge.ts";
import { atEnd } from "../../support/teardown.ts";
import { registerKinds } from "../../support/tiny-executor.ts";

jest.setTimeout(60_000);

const NOTHING: OpenCounts = { calls: 0, jobWaits: 0, lockWaits: 0, workers: 0 };
const WAVES = 3;
const CALLERS = 200;
const HELD = "account:1";
const MINUTE = { seconds: 60, nanos: 0 };

let edge: Edge;
let jobId: string;

beforeAll(async () => {
  edge = await startEdge();
  await registerKinds(edge.quorum, ["idle"]);
  ({ jobId } = await edge.jobs.submitJob({ job: JobSpec.fromPartial({ kind: "idle" }) }));
  await edge.locks.acquireLock(lockAsk("holder", undefined));
});

const lockAsk = (owner: string, wait: typeof MINUTE | undefined) => {
  return { keys: [HELD], owner, requestId: "", ttl: MINUTE, wait };
};

/** Resolves when the door has as much open as this: each turn of the loop may bring it there. */
async function until(open: () => OpenCounts, isThere: (counts: OpenCounts) => boolean) {
  while (!isThere(open())) await turn();
}

async function* silence(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

type Calls = Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>;

const CALLS: Calls = {
  WaitJob: (signal) => edge.jobs.waitJob({ jobId }, { signal, timeoutMs: 50_000 }),
  WatchJob: (signal) => all(edge.jobs.watchJob({ jobId, afterIndex: 0 }, { signal })),
  AcquireLock: (signal) =>
    edge.locks.acquireLock(lockAsk("waiter", MINUTE), { signal, timeoutMs: 50_000 }),
  SubmitJobs: (signal) => all(edge.jobs.submitJobs(silence(signal), { signal })),
  SayHelloBidiStream: (signal) => all(edge.greeter.sayHelloBidiStream(silence(signal), { signal })),
};

describe("a caller that breaks off", () => {
  test.each(Object.entries(CALLS))("%s leaves nothing open", async (_, call) => {
    for (let wave = 0; wave < WAVES; wave += 1) {
      const leaving = Array.from({ length: CALLERS }, () => new AbortController());
      const calls = leaving.map(({ signal }) => failureOf(call(signal)));
      await until(edge.gateway.open, (open) => open.calls === CALLERS);
      for (const one of leaving) one.abort();
      for (const failure of await Promise.all(calls)) {
        expect(failure.reason).toBe("CALL_CANCELLED");
      }
      await until(edge.gateway.open, (open) => open.calls === 0);
    }
    expect(edge.gateway.open()).toEqual(NOTHING);
  });

  test("a place in line for a lock is given up in the ledger, too", async () => {
    const leaving = new AbortController();
    const options = { signal: leaving.signal, timeoutMs: 50_000 };
    const waiting = failureOf(edge.locks.acquireLock(lockAsk("waiter", MINUTE), options));
    await until(edge.gateway.open, (open) => open.lockWaits === 1);
    const released = edge.quorum.untilProposed("release-locks", proposedReleases() + 1);
    leaving.abort();
    await waiting;
    await released;
    const { locks } = await edge.jobs.listLocks({ pageSize: 0, pageToken: "", key: HELD });
    expect(locks).toMatchObject([{ owner: "holder", waitingCount: 0 }]);
  });

  test.each(["watch", "wait"])("over HTTP, :%s leaves nothing open", async (verb) => {
    const { port, open, close } = await createConsole({
      quorum: edge.quorum,
      host: "127.0.0.1",
      port: 0,
      logger: silentLogger(),
    });
    atEnd(() => close(0));
    for (let wave = 0; wave < WAVES; wave += 1) {
      const sockets = Array.from({ length: CALLERS }, () => get(port, `/v1/jobs/${jobId}:${verb}`));
      await until(open, (counts) => counts.jobWaits === CALLERS);
      for (const socket of sockets) socket.destroy();
      await until(open, (counts) => counts.calls === 0);
    }
    expect(open()).toEqual(NOTHING);
  });
});

function proposedReleases(): number {
  return edge.quorum.proposed.filter(({ kind }) => kind === "release-locks").length;
}

function get(port: number, path: string): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
  return socket.resume();
}

test("a worker that does not say who it is gets a time for it", async () => {
  const logger = silentLogger();
  const redis = { url: "redis://127.0.0.1:1", cluster: "none" };
  const workers = new RemoteWorkers({ quorum: edge.quorum, redis, logger });
  const { work } = workHandlers(workers, 1);
  const open = new Set<ServedCall>();
  const life = { logger, open, draining: new AbortController().signal };
  const start = { method: "Work", spanName: "Work", attributes: {}, traceparent: "" };
  const call = new ServedCall({ ...start, timeoutMs: Number.POSITIVE_INFINITY }, life);
  const silent = silence(new AbortController().signal);
  const failure = await failureOf(all(work(silent, call)));
  expect(failure).toMatchObject({ reason: "DEADLINE_EXPIRED", retry: "safe" });
  call.endFailed(refusal("DEADLINE_EXPIRED", "as told"));
});

test("a drain gives up the place of who cannot come back to it", async () => {
  const other = await startEdge(edge.quorum);
  const waiting = failureOf(
    other.locks.acquireLock(lockAsk("nameless", MINUTE), { timeoutMs: 900 }),
  );
  await until(other.gateway.open, (open) => open.lockWaits === 1);
  const released = edge.quorum.untilProposed("release-locks", proposedReleases() + 1);
  await other.gateway.close(0);
  await released;
  expect((await waiting).code).toBe("UNAVAILABLE");
  const { locks } = await edge.jobs.listLocks({ pageSize: 0, pageToken: "", key: HELD });
  expect(locks).toMatchObject([{ waitingCount: 0 }]);
});
