// The thread of lease-thread.ts: a clock, a connection when it is needed, and the stand-in.
//
// Guarantees: it lives and freezes with its process, so it never speaks for a worker that is dead.
// Does not own: when it renews (lease-stand-in.ts).

import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { openQuorum } from "../transport/amqp/amqp-quorum.ts";
import type { Quorum } from "../transport/quorum.ts";
import { createLogger, silentLogger } from "../transport/telemetry/logger.ts";
import { LeaseStandIn } from "./lease-stand-in.ts";
import { type LeaseThreadData, type ToLeaseThread, threadClockMs } from "./lease-thread.ts";

/** Of leaseMs. */
const LOOK_PART = 1 / 20;

assert(parentPort !== null, "this thread is started by lease-thread.ts");
const data = workerData as LeaseThreadData;
const { worker, leaseMs, blockedMsMax, news, logLevel } = data;
const alive = new BigInt64Array(data.alive);
const logger =
  logLevel === null
    ? silentLogger()
    : createLogger({ component: "worker", id: worker, level: logLevel });
let opening: Promise<Quorum> | null = null;

const standIn = new LeaseStandIn({
  worker,
  leaseMs,
  blockedMsMax,
  logger,
  quorum() {
    opening ??= openQuorum({
      url: data.amqpUrl,
      cluster: data.cluster,
      clientId: `${worker}-leases`,
      role: "worker",
      logger,
      follow: null,
    });
    return opening;
  },
  nowMs: threadClockMs,
  aliveMs: () => Number(Atomics.load(alive, 0) / 1_000n) / 1_000,
  tell: (message) => news.postMessage(message),
});

parentPort.on("message", ({ kind, lease }: ToLeaseThread) => {
  if (kind === "keep") standIn.keep(lease);
  else standIn.release(lease);
});
setInterval(() => standIn.look(), leaseMs * LOOK_PART);
