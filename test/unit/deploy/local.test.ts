// Ports, the stack's file and the supervisor, the latter with trivial children.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { bannerOf } from "../../../deploy/local/banner.ts";
import { isPortFree, nextFreePort, privatePort, releasePort } from "../../../deploy/local/ports.ts";
import { launch, type RunningProcess } from "../../../deploy/local/process.ts";
import { missingText } from "../../../deploy/local/programs.ts";
import { NotStartedError } from "../../../deploy/local/ready.ts";
import { readLiveStack, settingsOfStack, writeStack } from "../../../deploy/local/stack-file.ts";
import { onFreePorts, StackPort } from "../../../deploy/local/stack-port.ts";
import { type Role, type Service, Supervisor } from "../../../deploy/local/supervisor.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { atEnd } from "../../support/teardown.ts";

async function taken(): Promise<number> {
  const port = await privatePort();
  await listenOn(port);
  return port;
}

describe("ports", () => {
  test("one that is taken is not free, and the next free one is above it", async () => {
    const port = await taken();
    expect(await isPortFree(port)).toBe(false);
    expect(await nextFreePort(port)).toBeGreaterThan(port);
  });

  test("are handed out once, also before anybody listens", async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => privatePort()));
    expect(new Set(ports).size).toBe(ports.length);
    const next = await nextFreePort(ports[0] ?? 0);
    expect(ports).not.toContain(next);
  });
});

describe("a port of the stack", () => {
  test("moves on when another process was faster, and stays once it was listened on", async () => {
    const free = await privatePort();
    releasePort(free);
    const port = await StackPort.near("Redis", free);
    expect([port.port, port.moved]).toEqual([free, null]);
    const fastest = await listenOn(free);
    const starts: number[] = [];
    const service = onFreePorts([port], {
      ...sleeper("600"),
      start: async () => {
        starts.push(port.port);
        return started(port.port);
      },
    });
    await service.start();
    expect(starts).toEqual([free, port.port]);
    expect(port.port).toBeGreaterThan(free);
    expect(port.moved).toBe(`Redis ${port.port} (${free} is taken)`);

    // Clients know the address by now: a later start waits for it, with the supervisor.
    const second = await listenOn(port.port);
    await expect(service.start()).rejects.toThrow(NotStartedError);
    expect(starts).toHaveLength(3);
    await Promise.all([fastest.end(), second.end()]);
  });

  test("does not hide why a service cannot start", async () => {
    const port = await StackPort.near("Redis", await privatePort());
    let starts = 0;
    const failing = (error: Error): Service =>
      onFreePorts([port], {
        ...sleeper("1"),
        start: () => {
          starts += 1;
          return Promise.reject(error);
        },
      });
    const gone = new NotStartedError("Redis exited with code 1", { isSilent: false });
    await expect(failing(gone).start()).rejects.toThrow(gone);
    expect(starts).toBe(2);
    const silent = new NotStartedError("Redis did not answer", { isSilent: true });
    await expect(failing(silent).start()).rejects.toThrow(silent);
    expect(starts).toBe(3);
  });
});

/** As a service of the stack starts: it ends when its port is taken. */
async function started(port: number): Promise<RunningProcess> {
  if (!(await isPortFree(port))) {
    throw new NotStartedError(`${port} is taken`, { isSilent: false });
  }
  return sleeper("600").start();
}

async function listenOn(port: number): Promise<{ end(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const end = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  atEnd(end);
  return { end };
}

describe("the stack's file", () => {
  const path = join(temporaryFolder("stack"), "stack.json");
  const stack = {
    pid: process.pid,
    cluster: "local-1",
    processes: [],
    endpoints: { grpc: "127.0.0.1:1", amqp: "amqp://127.0.0.1:2", redis: "redis://127.0.0.1:3" },
  };

  test("tells of a stack while its process lives", () => {
    expect(readLiveStack(path)).toBeNull();
    writeStack(path, stack);
    expect(readLiveStack(path)).toEqual(stack);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(stack);
    expect(existsSync(`${path}.${process.pid}`)).toBe(false);
  });

  test("left behind by a process that is gone does not count", async () => {
    const child = await sleeper("60").start();
    await child.stop(0);
    writeStack(path, { ...stack, pid: child.pid });
    expect(readLiveStack(path)).toBeNull();
  });

  test("gives commands in its folder the addresses and the cluster's name", () => {
    const cwd = temporaryFolder("stack-user");
    expect(settingsOfStack(cwd)).toEqual({});
    writeStack(join(cwd, ".quorumq", "stack.json"), stack);
    expect(settingsOfStack(cwd)).toEqual({
      cluster: "local-1",
      address: "127.0.0.1:1",
      amqpUrl: "amqp://127.0.0.1:2",
      redisUrl: "redis://127.0.0.1:3",
    });
  });
});

let serial = 0;

/** A service that does nothing for a while. */
function sleeper(seconds: string, role: Role = "node"): Service {
  serial += 1;
  const folder = temporaryFolder("sleeper");
  const logPath = join(folder, "log");
  return {
    role,
    id: `s${serial}`,
    logPath,
    graceMs: 5_000,
    ports: () => ({}),
    start: () =>
      launch({
        command: "/bin/sleep",
        args: [seconds],
        env: {},
        cwd: folder,
        logPath,
        tie: "guard",
      }),
  };
}

function supervised() {
  const lines: string[] = [];
  let changed = Promise.withResolvers<void>();
  const supervisor = new Supervisor({
    backoffMs: { first: 5, max: 20 },
    steadyMs: 60_000,
    onChange: () => {
      changed.resolve();
      changed = Promise.withResolvers<void>();
    },
    report: (line) => lines.push(line),
  });
  atEnd(() => supervisor.killAll());
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await changed.promise;
  };
  return { supervisor, lines, until, pids: () => supervisor.running().map(({ pid }) => pid) };
}

describe("the supervisor", () => {
  test("starts what was killed again, under another pid, and tells so", async () => {
    const { supervisor, lines, until, pids } = supervised();
    await supervisor.keep(sleeper("600"));
    const [first = 0] = pids();
    process.kill(first, "SIGKILL");
    await until(() => pids().length === 0);
    await until(() => pids().length === 1);
    expect(pids()).not.toContain(first);
    expect(lines[0]).toMatch(/was ended by SIGKILL; starting it again in 5 ms$/);
    await supervisor.stop([["node"]]);
    expect(pids()).toEqual([]);
  });

  test("waits longer while a process keeps ending, up to the limit", async () => {
    const { supervisor, lines, until } = supervised();
    await supervisor.keep(sleeper("0"));
    await until(() => lines.filter((line) => line.includes("again in")).length >= 4);
    await supervisor.stop([["node"]]);
    const pauses = lines.flatMap((line) => /again in (\d+) ms/.exec(line)?.[1] ?? []);
    expect(pauses.slice(0, 4)).toEqual(["5", "10", "20", "20"]);
  });

  test("goes on when a start fails, and gives up only when stopped", async () => {
    const { supervisor, lines, until, pids } = supervised();
    const service = sleeper("600");
    let starts = 0;
    await supervisor.keep({
      ...service,
      start: () => {
        starts += 1;
        return starts === 2 ? Promise.reject(new Error("no luck")) : service.start();
      },
    });
    process.kill(pids()[0] ?? 0, "SIGTERM");
    await until(() => starts === 3 && pids().length === 1);
    expect(lines.some((line) => line.includes("could not be started: no luck"))).toBe(true);
    await supervisor.stop([["node"]]);
  });

  test("stops one group after the other", async () => {
    const { supervisor, until, pids } = supervised();
    await supervisor.keep(sleeper("600", "redis"));
    await supervisor.keep(sleeper("600", "gateway"));
    const roles: string[] = [];
    const ended = supervisor.stop([["gateway"], ["redis"]]);
    await until(() => {
      roles.push(
        supervisor
          .running()
          .map(({ service }) => service.role)
          .join(),
      );
      return pids().length === 0;
    });
    await ended;
    expect(roles.filter((role, at) => role !== roles[at - 1])).toEqual([
      ...["redis,gateway", "redis", ""],
    ]);
  });

  test("passes on why the first start failed", async () => {
    const { supervisor } = supervised();
    const failing = { ...sleeper("1"), start: () => Promise.reject(new Error("no luck")) };
    await expect(supervisor.keep(failing)).rejects.toThrow("no luck");
  });
});

describe("what a person is told", () => {
  test("of missing programs: all of them, and one command", () => {
    const text = missingText(["rabbitmq-server", "redis-server"]);
    expect(text).toContain("QUORUMQ_AMQP_URL");
    expect(text).toContain("QUORUMQ_REDIS_URL");
    expect(text).toMatch(/bring them with: .*rabbitmq.*redis/);
  });

  test("when the stack is ready: ten lines at most, and no password of the user's", () => {
    const banner = bannerOf({
      nodeCount: 3,
      cluster: "local-1",
      version: "1.2.3",
      grpc: "127.0.0.1:50052",
      consoleUrl: "http://127.0.0.1:51052",
      amqpUrl: "amqp://me:hidden@broker:5672/v",
      rabbitmqUiUrl: null,
      redisUrl: "redis://:hidden@cache:6379",
      root: "/somewhere/.quorumq",
      moved: ["gRPC 50052 (50051 is taken)"],
      greeting: { reply: "Hello world", jobId: "j-4", traceId: "abc" },
    });
    expect(banner.trimEnd().split("\n").length).toBeLessThanOrEqual(10);
    for (const word of [
      "Hello world",
      "j-4",
      "abc",
      "50051 is taken",
      ":51052/v1",
      "--address",
      "local-1",
    ]) {
      expect(banner).toContain(word);
    }
    expect(banner).not.toContain("hidden");
  });
});
