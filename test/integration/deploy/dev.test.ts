// `quorumq dev`, from outside: what it prints, what it writes, what it restarts, what it leaves.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { privatePort } from "../../../deploy/local/ports.ts";
import type { Stack, StackProcess } from "../../../deploy/local/stack-file.ts";
import { packageRoot } from "../../../deploy/package-root.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startRedis } from "../../support/redis.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const folder = temporaryFolder("dev");
const stackFile = join(folder, "state", "stack.json");
const env: Record<string, string> = { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" };
let grpcPort = 0;
let consolePort = 0;

beforeAll(async () => {
  const [broker, redis] = await Promise.all([sharedBroker(), startRedis()]);
  env["QUORUMQ_AMQP_URL"] = broker.url;
  env["QUORUMQ_REDIS_URL"] = redis.url;
  grpcPort = await privatePort();
  consolePort = await privatePort();
});

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exited: Promise<number | null>;
}

function dev(...flags: readonly string[]): Run {
  return devIn("state", ...flags);
}

function devIn(state: string, ...flags: readonly string[]): Run {
  const cli = join(packageRoot(), "deploy", "cli.ts");
  const ports = ["--grpc-port", String(grpcPort), "--console-port", String(consolePort)];
  const words = ["dev", "--dir", state, ...ports, ...flags];
  const child = spawn(process.execPath, [cli, ...words], { cwd: folder, env });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output += chunk.toString("utf8");
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, output: () => output, exited };
}

/** For what happens in other processes, which tell us nothing. In vain: their output is told. */
async function until(run: Run, what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`in vain: ${what}\n${run.output()}${logs()}`);
    await delay(50);
  }
}

function logs(): string {
  const at = join(folder, "state", "logs");
  if (!existsSync(at)) return "";
  return readdirSync(at)
    .map((name) => `\n== ${name}\n${readFileSync(join(at, name), "utf8").slice(-8_000)}`)
    .join("");
}

function readStack(state = "state"): Stack {
  return JSON.parse(readFileSync(join(folder, state, "stack.json"), "utf8")) as Stack;
}

function processNamed(id: string): StackProcess | undefined {
  return readStack().processes.find((one) => one.id === id);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("quorumq dev", () => {
  test("--once greets for real, ends with 0 and leaves nothing running", async () => {
    const run = dev("--fresh", "--once");
    const code = await run.exited;
    expect(run.output()).toMatch(/SayHello\("world"\) answered "Hello world"/);
    expect(run.output()).toMatch(/job j-\d+ {3}trace [0-9a-f]{32}/);
    expect(code).toBe(0);
    expect(existsSync(stackFile)).toBe(false);
  });

  test("two that start at the same moment find ports of their own", async () => {
    const runs = [devIn("state-a"), devIn("state-b")];
    for (const run of runs) await until(run, "the banner", () => run.output().includes("greeting"));
    const addresses = ["state-a", "state-b"].map((state) => readStack(state).endpoints["grpc"]);
    expect(new Set(addresses).size).toBe(2);
    expect(addresses).toContain(`127.0.0.1:${grpcPort}`);
    for (const { child } of runs) child.kill("SIGINT");
    expect(await Promise.all(runs.map(({ exited }) => exited))).toEqual([0, 0]);
  });

  test("restarts what is killed, refuses a second stack, and drains at the first signal", async () => {
    const run = dev();
    await until(run, "the banner", () => run.output().includes("greeting"));
    const stack = readStack();
    expect(stack.processes.map(({ role }) => role).toSorted()).toEqual([
      ...["console", "gateway", "node", "node", "node", "worker", "worker"],
    ]);
    expect(stack.endpoints["grpc"]).toBe(`127.0.0.1:${grpcPort}`);
    for (const { log } of stack.processes) expect(existsSync(log)).toBe(true);

    const second = dev();
    expect(await second.exited).toBe(2);
    expect(second.output()).toContain(`process ${run.child.pid}`);

    const before = processNamed("n1")?.pid ?? 0;
    process.kill(before, "SIGKILL");
    await until(run, "another n1", () => (processNamed("n1")?.pid ?? before) !== before);

    const pids = readStack().processes.map(({ pid }) => pid);
    run.child.kill("SIGINT");
    expect(await run.exited).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(stackFile)).toBe(false);
  });

  test("takes its processes along when it is killed outright", async () => {
    const run = dev();
    await until(run, "the banner", () => run.output().includes("greeting"));
    const pids = readStack().processes.map(({ pid }) => pid);
    expect(pids).toHaveLength(7);
    run.child.kill("SIGKILL");
    await run.exited;
    await until(run, "the end of all", () => !pids.some(isAlive));
  });
});
