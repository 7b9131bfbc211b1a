// A node, gateway or worker of the local stack: this program's own CLI in a process of its own.
//
// Guarantees: `start` resolves when the process has said that it is ready and not before; one
// that ends or stays silent is an error with the tail of its log. The process ends by itself when
// this one is gone (../shutdown.ts watches the channel).

import { setTimeout as delay } from "node:timers/promises";
import type { ReadyMessage } from "../process-life.ts";
import { launch, type RunningProcess } from "./process.ts";
import { logTail, NotStartedError } from "./ready.ts";
import type { Role, Service } from "./supervisor.ts";

const READY_TIMEOUT_MS = 60_000;

export interface OwnProcessOptions {
  readonly role: Role;
  readonly id: string;
  /** The CLI's file, then its words, asked for at each start. */
  readonly args: () => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logPath: string;
  readonly graceMs: number;
}

export function ownProcess(options: OwnProcessOptions): Service {
  const { role, id, logPath, graceMs } = options;
  let ports: Readonly<Record<string, number>> = {};
  return {
    role,
    id,
    logPath,
    graceMs,
    ports: () => ports,
    start: async () => {
      const ready = Promise.withResolvers<ReadyMessage>();
      const child = await launch({
        command: process.execPath,
        args: ["--enable-source-maps", "--disable-warning=ExperimentalWarning", ...options.args()],
        env: options.env,
        cwd: options.cwd,
        logPath,
        tie: "ipc",
        onMessage: (message) => {
          if (isReady(message)) ready.resolve(message);
        },
      });
      ({ ports } = await readyOrGone(options, child, ready.promise));
      return child;
    },
  };
}

async function readyOrGone(
  { id, logPath }: OwnProcessOptions,
  child: RunningProcess,
  ready: Promise<ReadyMessage>,
): Promise<ReadyMessage> {
  const waiting = new AbortController();
  const outcome = await Promise.race([
    ready,
    child.exited,
    delay(READY_TIMEOUT_MS, "silent" as const, { signal: waiting.signal }),
  ]);
  waiting.abort();
  if (outcome !== "silent" && "kind" in outcome) return outcome;
  await child.stop(0);
  const isSilent = outcome === "silent";
  const how = isSilent ? "was not ready in time" : "ended before it was ready";
  throw new NotStartedError(`${id} ${how}:\n${logTail(logPath)}`, { isSilent });
}

function isReady(message: unknown): message is ReadyMessage {
  return (
    typeof message === "object" && message !== null && "kind" in message && message.kind === "ready"
  );
}
