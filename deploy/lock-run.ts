// `quorumq lock run --key K -- COMMAND …`: a command of yours while a lock is held.
//
// Guarantees: the command starts only when the lock is held, and has its fencing token in
// QUORUMQ_FENCING_TOKEN. If the lock is lost it is told to end (SIGTERM, then SIGKILL), and this
// ends with 4, whatever it answers; else with the command's own code. Signals are passed on.
// Does not own: exit codes of refusals (exit-code.ts).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, hostname } from "node:os";
import type { HeldLock } from "../workers/client/held-lock.ts";
import { locksOver } from "../workers/client/locks.ts";
import { MACHINE_CLOCK } from "../workers/clock.ts";
import type { Ask } from "./ask.ts";
import { ExitCode, UsageError } from "./exit-code.ts";

const KILL_AFTER_MS = 5_000;
const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function runLocked({ connection, options, words }: Ask): Promise<ExitCode> {
  const locks = locksOver(connection.locks, MACHINE_CLOCK);
  const lock = await locks.acquire(options["key"] as readonly string[], {
    ttlMs: Number(options["ttl"]) * 1_000,
    waitMs: Number(options["wait"] ?? 0) * 1_000,
    owner: `${hostname()} ${process.pid}`,
  });
  try {
    return await runUnder(lock, words);
  } finally {
    await lock.release();
  }
}

async function runUnder(lock: HeldLock, words: readonly string[]): Promise<ExitCode> {
  if (lock.signal.aborted) {
    // Before anything was started: there is nothing to end.
    sayLost(lock);
    return ExitCode.Unreachable;
  }
  const [file = "", ...rest] = words;
  const env = {
    ...process.env,
    QUORUMQ_FENCING_TOKEN: String(lock.fencingToken),
    QUORUMQ_LOCK_ID: lock.id,
  };
  const child = spawn(file, rest, { env, stdio: "inherit" });
  let killer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    sayLost(lock);
    child.kill("SIGTERM");
    killer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
  };
  lock.signal.addEventListener("abort", stop, { once: true });
  const pass = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const signal of PASSED_ON) process.on(signal, pass);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (lock.signal.aborted) return ExitCode.Unreachable;
    // Any number: it is the command's, as it would be without the lock.
    return (code ?? 128 + constants.signals[signal ?? "SIGKILL"]) as ExitCode;
  } catch (error) {
    throw new UsageError(`the command ${file} cannot be run: ${String(error)}`, { cause: error });
  } finally {
    clearTimeout(killer);
    lock.signal.removeEventListener("abort", stop);
    for (const signal of PASSED_ON) process.off(signal, pass);
  }
}

function sayLost({ signal }: HeldLock): void {
  process.stderr.write(`quorumq: the lock is lost: ${String(signal.reason)}\n`);
}
