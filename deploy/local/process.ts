// One child process of the local stack: started, logged to a file, watched, stopped.
//
// Guarantees: the child has its own session, so a Ctrl-C in the terminal reaches only the parent,
// which then stops the children in order. A child does not outlive its parent, even if the parent
// is killed with SIGKILL: foreign programs get a guard (a shell that waits on a pipe from the
// parent and ends the program when the pipe closes), own ones an IPC channel whose end they watch.
// Does not own: when to start again (supervisor.ts), what ready means (the callers).

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly pid: number;
  /** Resolves, never rejects, when the process is gone. */
  readonly exited: Promise<ProcessExit>;
  hasExited(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL once the grace is over. Resolves when the process is gone. */
  stop(graceMs: number): Promise<ProcessExit>;
}

export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and error are appended here. */
  readonly logPath: string;
  /** `guard`: a foreign program. `ipc`: a process of ours, which ends when its channel closes. */
  readonly tie: "guard" | "ipc";
  /** What an own process says over its channel. */
  readonly onMessage?: (message: unknown) => void;
}

/** Waits for the parent's end of the pipe to close, then SIGTERM, and SIGKILL after ten seconds. */
const GUARD_SCRIPT = [
  "cat > /dev/null",
  'kill -TERM "$1" 2> /dev/null || exit 0',
  "for i in 1 2 3 4 5 6 7 8 9 10; do",
  '  sleep 1; kill -0 "$1" 2> /dev/null || exit 0',
  "done",
  'kill -KILL "$1" 2> /dev/null',
].join("\n");

/** Resolves once the process exists; rejects if the program cannot be run at all. */
export async function launch(options: LaunchOptions): Promise<RunningProcess> {
  mkdirSync(dirname(options.logPath), { recursive: true });
  const log = openSync(options.logPath, "a");
  const child = spawn(options.command, [...options.args], {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: options.tie === "ipc" ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  // Later errors (a signal or message that cannot be delivered) mean that the child is ending,
  // which `exit` reports.
  child.on("error", () => undefined);
  if (options.onMessage !== undefined) child.on("message", options.onMessage);
  return watch(child, options.tie);
}

/** Sends a signal and, unless it only pauses or continues the process, waits for its end. */
export async function signalled(
  child: RunningProcess,
  signal: NodeJS.Signals = "SIGKILL",
): Promise<void> {
  child.kill(signal);
  if (signal !== "SIGSTOP" && signal !== "SIGCONT") await child.exited;
}

function watch(child: ChildProcess, tie: LaunchOptions["tie"]): RunningProcess {
  const pid = child.pid;
  if (pid === undefined) throw new Error("a spawned process has no pid");
  const releaseGuard = tie === "guard" ? guard(pid) : () => undefined;
  let gone = false;
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once("exit", (code, signal) => {
      gone = true;
      releaseGuard();
      resolve({ code, signal });
    });
  });
  return {
    pid,
    exited,
    hasExited: () => gone,
    kill: (signal) => {
      child.kill(signal);
    },
    stop: async (graceMs) => {
      if (!gone) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Ties a process to the life of this one. Returns the function that unties it. */
function guard(pid: number): () => void {
  const watcher = spawn("/bin/sh", ["-c", GUARD_SCRIPT, "quorumq-guard", String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watcher.on("error", () => undefined);
  watcher.stdin?.on("error", () => undefined);
  watcher.unref();
  if (watcher.stdin !== null && "unref" in watcher.stdin) {
    (watcher.stdin as typeof watcher.stdin & { unref(): void }).unref();
  }
  return () => {
    // The whole group: the shell's `cat` too. Gone already is as good.
    if (watcher.pid === undefined || watcher.exitCode !== null) return;
    try {
      process.kill(-watcher.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
}
