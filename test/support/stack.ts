// The whole local stack for a test: `quorumq dev` as its users run it, in a folder of its own.
//
// Guarantees: ready means that its own greeting went through; what it started ends with the test
// file, also when tests fail, since the stack ends when its parent does. Waiting follows the
// changes of stack.json, never a clock.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { join } from "node:path";
import { readLiveStack, type Stack, type StackProcess } from "../../deploy/local/stack-file.ts";
import type { Role } from "../../deploy/local/supervisor.ts";
import type { BrokerPlace } from "./rabbitmqctl.ts";

const CLI = join(import.meta.dirname, "..", "..", "deploy", "cli.ts");
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 40_000;
/** A port may be taken between choosing and binding it: once more with others. */
const START_ATTEMPTS = 2;

export interface StackOptions {
  /** An existing folder; its state is kept. */
  readonly dir: string;
  /** Job files for the workers, besides the built-in ones. */
  readonly files?: readonly string[];
  /** Flags of `quorumq dev`. */
  readonly flags?: readonly string[];
  /** QUORUMQ_TEST_* goes on to the parts, with {id} for each one's own. */
  readonly env?: Readonly<Record<string, string>>;
}

export class LocalStack {
  readonly dir: string;
  readonly #child: ChildProcess;
  #output = "";

  constructor(dir: string, child: ChildProcess) {
    this.dir = dir;
    this.#child = child;
    child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
  }

  /** All that `quorumq dev` has printed. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What runs now; throws when the stack is gone. */
  now(): Stack {
    const stack = readLiveStack(join(this.dir, "stack.json"));
    if (stack === null) throw new Error(`the stack is gone:\n${this.#output}`);
    return stack;
  }

  get address(): string {
    return this.endpoint("grpc");
  }

  endpoint(name: string): string {
    const value = this.now().endpoints[name];
    if (value === undefined) throw new Error(`the stack names no endpoint ${name}`);
    return value;
  }

  processes(role: Role): readonly StackProcess[] {
    return this.now().processes.filter((process) => process.role === role);
  }

  process(id: string): StackProcess {
    const found = this.now().processes.find((process) => process.id === id);
    if (found === undefined) throw new Error(`${id} does not run`);
    return found;
  }

  /** The private broker, for rabbitmqctl. */
  broker(): BrokerPlace {
    const { amqp = 0, epmd = 0 } = this.process("rabbitmq").ports;
    return { ports: { amqp, epmd }, logPath: join(this.dir, "rabbitmq", "rabbitmq.log") };
  }

  /** Sends the signal; returns the pid it went to. */
  kill(id: string, signal: NodeJS.Signals): number {
    const { pid } = this.process(id);
    process.kill(pid, signal);
    return pid;
  }

  /** Resolves when the process runs and says so under another pid than this. */
  restarted(id: string, deadPid: number, timeoutMs = 60_000): Promise<void> {
    return this.until(
      (stack) => stack.processes.some((process) => process.id === id && process.pid !== deadPid),
      timeoutMs,
      `${id} to run again`,
    );
  }

  until(isReached: (stack: Stack) => boolean, timeoutMs: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher = watch(this.dir, () => check());
      const end = (error?: Error): void => {
        clearTimeout(timer);
        watcher.close();
        if (error === undefined) resolve();
        else reject(error);
      };
      const check = (): void => {
        const stack = readLiveStack(join(this.dir, "stack.json"));
        if (stack !== null && isReached(stack)) end();
      };
      const timer = setTimeout(
        () => end(new Error(`waited ${timeoutMs} ms for ${what}:\n${this.#output}`)),
        timeoutMs,
      );
      check();
    });
  }

  /** As Ctrl-C does; resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return this.#child.exitCode;
    }
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGINT");
    const late = setTimeout(() => this.#child.kill("SIGINT"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(late);
    return this.#child.exitCode;
  }

  async #ready(): Promise<boolean> {
    const ended = once(this.#child, "exit").then(() => false);
    const ready = new Promise<boolean>((resolve) => {
      const check = (): void => {
        if (this.#output.includes("is ready")) resolve(true);
      };
      this.#child.stdout?.on("data", check);
    });
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), START_TIMEOUT_MS);
    const isReady = await Promise.race([ready, ended, late.promise]);
    clearTimeout(timer);
    return isReady;
  }

  static async start(options: StackOptions): Promise<LocalStack> {
    const { dir, files = [], flags = [], env = {} } = options;
    for (let attempt = 1; ; attempt += 1) {
      const child = spawn(process.execPath, [CLI, "dev", "--dir", dir, ...flags, ...files], {
        env: { ...cleanEnvironment(), ...env },
        // Its channel tells the stack when this process is gone.
        stdio: ["ignore", "pipe", "pipe", "ipc"],
      });
      const stack = new LocalStack(dir, child);
      if (await stack.#ready()) return stack;
      await stack.stop();
      if (attempt === START_ATTEMPTS) throw new Error(`no stack:\n${stack.output}`);
    }
  }
}

/** Without what the test run itself was told. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !name.startsWith("QUORUMQ_") && !name.startsWith("JEST_") && name !== "NODE_OPTIONS",
    ),
  );
}
