// How a node's process ends: by a signal before it is ready, by its disk, by a bug of ours.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, jest, test } from "@jest/globals";
import { packageRoot } from "../../../deploy/package-root.ts";
import { openSqliteLogStore } from "../../../transport/disk/sqlite-log-store.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const NOWHERE = { amqp: "amqp://127.0.0.1:1", redis: "redis://127.0.0.1:1" };
/** Of 512 or 1024 bytes: room in the write-ahead log for one commit or two, not for an election. */
const FILE_BLOCKS_MAX = 12;

interface Ended {
  readonly code: number | null;
  readonly log: string;
}

interface Started {
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the log tells of it. */
  logged(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

function start(command: string, words: readonly string[]): Started {
  const child = spawn(command, words, { stdio: ["ignore", "ignore", "pipe"] });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  return {
    kill: (signal) => child.kill(signal),
    logged: async (text) => {
      while (!log.includes(text)) await once(child.stderr, "data");
    },
    ended: once(child, "close").then(([code]) => ({ code, log })),
  };
}

function nodeWords(amqpUrl: string, dataDir: string): string[] {
  const cli = join(packageRoot(), "deploy", "cli.ts");
  const place = ["--node-id", "n1", "--members", "n1", "--data-dir", dataDir];
  return [cli, "node", "--amqp-url", amqpUrl, "--redis-url", NOWHERE.redis, ...place];
}

test("a signal ends a node that still waits for RabbitMQ", async () => {
  const directory = join(temporaryFolder("life"), "n1");
  const node = start(process.execPath, nodeWords(NOWHERE.amqp, directory));
  await node.logged("cannot use RabbitMQ");
  node.kill("SIGTERM");
  const { code, log } = await node.ended;
  expect(code).toBe(0);
  expect(log).toContain('"reason":"SIGTERM"');
});

test("a disk that cannot be written ends the process with code 1 and its reason", async () => {
  const { url } = await sharedBroker();
  const directory = join(temporaryFolder("life"), "n1");
  const identity = { cluster: "main", nodeId: "n1" };
  await (await openSqliteLogStore({ directory, identity })).close();
  const limited = `ulimit -f ${FILE_BLOCKS_MAX} && exec "$0" "$@"`;
  const words = ["-c", limited, process.execPath, ...nodeWords(url, directory)];
  const { code, log } = await start("sh", words).ended;
  expect(log).toContain("the disk failed: this node stops");
  expect(log).toContain("node cannot go on");
  expect(code).toBe(1);
});

test.each(["throw", "reject"])(
  "a bug that nobody catches (%s) is logged and ends it",
  async (how) => {
    const program = join(import.meta.dirname, "failing-process.ts");
    const { code, log } = await start(process.execPath, [program, how]).ended;
    const line = log.split("\n").find((one) => one.includes('"level":"fatal"')) ?? "{}";
    expect(JSON.parse(line)).toMatchObject({
      component: "node",
      err: { message: "a bug of ours" },
    });
    expect(code).toBe(1);
  },
);
