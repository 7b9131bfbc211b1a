// Nodes beside those of `quorumq dev`, for changes of membership: the same program, kept running
// by the same supervisor, in this process.
//
// Guarantees: each starts from nothing and leaves nothing; ended in `stopAll`, and by their own
// channel should this process die.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ownProcess } from "../../deploy/local/own-process.ts";
import { Supervisor } from "../../deploy/local/supervisor.ts";
import { packageRoot } from "../../deploy/package-root.ts";
import { cleanEnvironment, type LocalStack } from "../support/stack.ts";

export const NODE_CLI = join(import.meta.dirname, "..", "..", "deploy", "cli.ts");
const GRACE_MS = 10_000;

/** As the stack tells its own nodes; QUORUMQ_TEST_* with the id put in. */
export function nodeEnvironment(
  stack: LocalStack,
  id: string,
  env: Readonly<Record<string, string>>,
): Record<string, string> {
  const own = Object.entries(env).map(([name, value]) => [name, value.replaceAll("{id}", id)]);
  return {
    ...(cleanEnvironment() as Record<string, string>),
    ...Object.fromEntries(own),
    QUORUMQ_AMQP_URL: stack.endpoint("amqp"),
    QUORUMQ_REDIS_URL: stack.endpoint("redis"),
    QUORUMQ_CLUSTER: readFileSync(join(stack.dir, "cluster"), "utf8").trim(),
  };
}

export class ExtraNodes {
  readonly #stack: LocalStack;
  readonly #env: Readonly<Record<string, string>>;
  readonly #members: readonly string[];
  readonly #report: (line: string) => void;
  readonly #kept = new Map<string, Supervisor>();
  readonly #onChange = new Set<() => void>();

  /** `members`: what a new node is told of the cluster that it is to join. */
  constructor(
    stack: LocalStack,
    env: Readonly<Record<string, string>>,
    members: readonly string[],
    report: (line: string) => void,
  ) {
    this.#stack = stack;
    this.#env = env;
    this.#members = members;
    this.#report = report;
  }

  ids(): string[] {
    return [...this.#kept.keys()];
  }

  /** null: it does not run now. */
  pidOf(id: string): number | null {
    return this.#kept.get(id)?.running()[0]?.pid ?? null;
  }

  /** Resolves when it runs; rejects with the end of its log. */
  async start(id: string): Promise<void> {
    const supervisor = new Supervisor({
      backoffMs: { first: 200, max: 5_000 },
      steadyMs: 10_000,
      onChange: () => {
        for (const look of [...this.#onChange]) look();
      },
      report: this.#report,
    });
    this.#kept.set(id, supervisor);
    const words = ["node", "--node-id", id, "--members", this.#members.join(",")];
    await supervisor.keep(
      ownProcess({
        role: "node",
        id,
        args: () => [NODE_CLI, ...words, "--data-dir", this.#dirOf(id)],
        env: nodeEnvironment(this.#stack, id, this.#env),
        cwd: packageRoot(),
        logPath: join(this.#stack.dir, "logs", `${id}.log`),
        graceMs: GRACE_MS,
      }),
    );
  }

  /** Ends it and forgets its disk. */
  async stop(id: string): Promise<void> {
    await this.#kept.get(id)?.stop([["node"]]);
    this.#kept.delete(id);
    rmSync(this.#dirOf(id), { recursive: true, force: true });
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.ids().map((id) => this.stop(id)));
  }

  /** Resolves when it runs under another pid. */
  restarted(id: string, deadPid: number, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      const pid = this.pidOf(id);
      if (pid !== null && pid !== deadPid) resolve();
    };
    const timer = setTimeout(() => reject(new Error(`${id} does not run again`)), timeoutMs);
    this.#onChange.add(check);
    check();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#onChange.delete(check);
    });
  }

  #dirOf(id: string): string {
    return join(this.#stack.dir, "nodes", id);
  }
}
