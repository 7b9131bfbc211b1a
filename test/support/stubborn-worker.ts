// A worker that knows no better: a process that starts one attempt, and when it is told to says all
// that a worker can say, whatever has become of its attempt meanwhile.
//
//   node stubborn-worker.ts <amqpUrl> <cluster> <jobId> <leaseMs>
//
// Guarantees: each answer of the ledger is one line of JSON on standard output: the start's, and
// after a line on standard input those to a report of progress and lines, a heartbeat, a result and
// an error. It renews nothing by itself.

import { once } from "node:events";
import type { CommandBody } from "../../ledger/command.ts";
import { openQuorum } from "../../transport/amqp/amqp-quorum.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";

const [url = "", cluster = "", jobId = "", leaseMs = ""] = process.argv.slice(2);
const worker = `stubborn-${process.pid}`;
const quorum = await openQuorum({
  ...{ url, cluster, clientId: worker, role: "worker", logger: silentLogger(), follow: null },
});

async function say(body: CommandBody): Promise<number> {
  const outcome = await quorum.propose(body, { timeoutMs: 20_000, traceparent: "" });
  const result = outcome.kind === "applied" ? outcome.applied.result : undefined;
  process.stdout.write(`${JSON.stringify(result ?? outcome)}\n`);
  return result?.$case === "started" ? result.value.token : 0;
}

const start = { jobId, worker, startId: worker, leaseMs: Number(leaseMs) };
const token = await say({ kind: "start-attempt", ...start });
await once(process.stdin, "data");
const report = { jobId, token, sequence: 1, progress: Buffer.from("99"), lineCount: 1 };
await say({ kind: "report-progress", worker, reports: [{ ...report, lines: ["late"] }] });
await say({ kind: "renew-leases", worker, renewals: [{ jobId, token }] });
await say({ kind: "renew-leases", worker, renewals: [{ jobId, token }] });
const finish = { kind: "finish-attempt", jobId, token, worker } as const;
await say({ ...finish, outcome: "succeeded", result: Buffer.from('"late"'), error: null });
const error = { code: "Late", message: "too late", retryable: true };
await say({ ...finish, outcome: "failed", result: null, error });
await quorum.close();
process.stdin.destroy();
