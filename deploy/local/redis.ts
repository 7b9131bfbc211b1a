// A private Redis: loopback only, nothing on disk, never evicting (BullMQ's one correct setting).
//
// Guarantees: `startRedis` resolves when the server answers PING. `stop` leaves no process. After
// `kill` or `stop`, `start` brings an empty server back on the same port, which is what losing
// Redis means here: everything in it can be rebuilt from the ledger.
// Does not own: finding or installing the program (programs.ts).

import assert from "node:assert";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { privatePort } from "./ports.ts";
import { isRedisProcess } from "./probe.ts";
import { launch, type RunningProcess, signalled } from "./process.ts";
import { findProgram } from "./programs.ts";
import { untilReady } from "./ready.ts";

const READY_TIMEOUT_MS = 20_000;
const STOP_GRACE_MS = 3_000;

export interface RedisOptions {
  /** Working directory and log; made if missing. */
  readonly dir: string;
  readonly port?: number;
  readonly logPath?: string;
  /** On top of its own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface LocalRedis {
  readonly url: string;
  readonly port: number;
  readonly logPath: string;
  pid(): number;
  /** SIGKILL by default; resolves when the process is gone (SIGSTOP, SIGCONT: at once). */
  kill(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
}

/** Starts the server once; the supervisor does the repeating. */
export async function launchRedis(
  options: RedisOptions & { readonly port: number; readonly logPath: string },
): Promise<RunningProcess> {
  mkdirSync(options.dir, { recursive: true });
  const child = await launch({
    command: findProgram("redis-server"),
    args: [
      ...["--bind", "127.0.0.1", "--port", String(options.port), "--daemonize", "no"],
      ...["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"],
      ...["--dir", options.dir, "--logfile", ""],
    ],
    env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", ...options.env },
    cwd: options.dir,
    logPath: options.logPath,
    tie: "guard",
  });
  const address = { host: "127.0.0.1", port: options.port };
  try {
    await untilReady({
      name: "Redis",
      child,
      logPath: options.logPath,
      timeoutMs: READY_TIMEOUT_MS,
      // Not somebody else's on the same port, while ours is about to fail.
      probe: () => isRedisProcess(address, child.pid),
    });
    return child;
  } catch (error) {
    await child.stop(0);
    throw error;
  }
}

export async function startRedis(options: RedisOptions): Promise<LocalRedis> {
  const port = options.port ?? (await privatePort());
  const logPath = options.logPath ?? join(options.dir, "redis.log");
  let child = await launchRedis({ ...options, port, logPath });
  const server: LocalRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    logPath,
    pid: () => child.pid,
    kill: (signal) => signalled(child, signal),
    start: async () => {
      assert(child.hasExited(), "Redis is still running");
      child = await launchRedis({ ...options, port, logPath });
    },
    stop: async () => {
      await child.stop(STOP_GRACE_MS);
    },
    restart: async () => {
      await child.stop(STOP_GRACE_MS);
      await server.start();
    },
  };
  return server;
}
