// The life of a long-running process: start, say that it is ready, run, drain, end.
//
// Guarantees: the same for node, gateway, console and worker. Telemetry is up before the first span
// and flushed after the last. A drain that exceeds the grace is cut; a part that fails for good, or
// a bug that nobody caught, is logged and ends the process with code 1, for whoever supervises it
// to start it again. A signal ends it also while it waits to become ready.

import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../transport/telemetry/logger.ts";
import { startTelemetry } from "../transport/telemetry/sdk.ts";
import { ExitCode } from "./exit-code.ts";
import { keepHealthFile } from "./health-file.ts";
import { watchForShutdown } from "./shutdown.ts";
import { VERSION } from "./version.ts";

/** What a composition (node.ts, gateway.ts, worker.ts) hands back once it runs. */
export interface Running {
  /** By what they are for, such as grpc. */
  readonly ports: Readonly<Record<string, number>>;
  /** Resolves with the reason if the process cannot go on. */
  readonly failed: Promise<Error>;
  /** Why it does no work now, for the health file; null: it does. Without it: it always does. */
  problem?(): string | null;
  /** Ends the work in order, at the latest after the grace. */
  drain(graceMs: number): Promise<void>;
}

export interface Served {
  readonly role: "node" | "gateway" | "worker" | "console";
  readonly id: string;
  readonly logger: Logger;
  readonly graceMs: number;
  /** Kept fresh from ready to the end of the drain; null: none. */
  readonly healthFile: string | null;
  start(): Promise<Running>;
}

/** Said to the parent over its channel, if there is one. */
export interface ReadyMessage {
  readonly kind: "ready";
  readonly ports: Readonly<Record<string, number>>;
}

/** On top of the grace, for the last writes of a drain that uses all of it. */
const LAST_WORDS_MS = 2_000;

export async function serve(served: Served): Promise<ExitCode> {
  const { role, id, logger, graceMs } = served;
  const shutdown = watchForShutdown((code) => process.exit(code));
  // Only looked at: Node itself then ends the process. Promises that nobody awaits count, too.
  process.on("uncaughtExceptionMonitor", (error, origin) => {
    logger.fatal({ err: error, origin }, `${role} has a bug and ends`);
  });
  const telemetry = startTelemetry({
    serviceName: `quorumq-${role}`,
    instanceId: id,
    version: VERSION,
  });
  try {
    // It may wait for a broker that does not come; what it holds goes with the process.
    const running = await Promise.race([served.start(), shutdown.requested]);
    if (typeof running === "string") {
      logger.info({ reason: running }, `${role} ends before it was ready`);
      return ExitCode.Ok;
    }
    const ready: ReadyMessage = { kind: "ready", ports: running.ports };
    process.send?.(ready);
    // A worker takes jobs once it has found the quorum, and says so then.
    const isUp = role === "worker" ? "has started" : "is ready";
    logger.info({ ports: running.ports }, `${role} ${isUp}`);
    const note = { role, id, ports: running.ports };
    const health = keepHealthFile(served.healthFile, note, () => running.problem?.() ?? null);
    const end = await Promise.race([shutdown.requested, running.failed]);
    if (typeof end !== "string") {
      logger.fatal({ err: end }, `${role} cannot go on`);
      return ExitCode.Internal;
    }
    logger.info({ reason: end, graceMs }, `${role} drains`);
    const code = await drained(running, served);
    health.remove();
    return code;
  } finally {
    await telemetry.shutdown();
  }
}

async function drained(running: Running, { role, logger, graceMs }: Served): Promise<ExitCode> {
  const late = new AbortController();
  const outcome = await Promise.race([
    running.drain(graceMs).then(() => "drained" as const),
    delay(graceMs + LAST_WORDS_MS, "late" as const, { signal: late.signal }),
  ]);
  late.abort();
  if (outcome === "late") {
    logger.error({ graceMs }, `${role} did not drain in time`);
    return ExitCode.Internal;
  }
  logger.info(`${role} has stopped`);
  return ExitCode.Ok;
}
