// The private RabbitMQ and Redis of the local stack, started, killed and stopped for real.

import { readFileSync } from "node:fs";
import { describe, expect, jest, test } from "@jest/globals";
import { addressOf, answersAmqp, answersRedis } from "../../../deploy/local/probe.ts";
import { startRabbitmq } from "../../../deploy/local/rabbitmq.ts";
import { NotStartedError } from "../../../deploy/local/ready.ts";
import { startRedis as startLocalRedis } from "../../../deploy/local/redis.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker, startBroker } from "../../support/broker.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startRedis } from "../../support/redis.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("a private RabbitMQ", () => {
  test("accepts AMQP, survives a kill on the same ports, and leaves nothing when stopped", async () => {
    const broker = await startBroker();
    const address = { host: "127.0.0.1", port: broker.ports.amqp };
    expect(await answersAmqp(address)).toBe(true);

    const firstPid = broker.pid();
    expect(readFileSync(`/proc/${firstPid}/cmdline`, "utf8")).toContain("beam");
    await broker.kill();
    expect(await answersAmqp(address)).toBe(false);
    await broker.start();
    expect(broker.pid()).not.toBe(firstPid);
    expect(await answersAmqp(address)).toBe(true);

    const ui = await fetch(`${broker.managementUrl}/api/overview`, {
      headers: { authorization: `Basic ${btoa(`${broker.user}:${broker.password}`)}` },
    });
    expect(ui.status).toBe(200);
    await ui.arrayBuffer();

    await broker.stop();
    expect(isAlive(broker.pid())).toBe(false);
    expect(await answersAmqp(address)).toBe(false);
  });
});

describe("a port that another one of its kind listens on", () => {
  test("is not taken for one's own: the start fails", async () => {
    const [broker, redis] = await Promise.all([startBroker(), startRedis()]);
    const dir = temporaryFolder("second");
    await expect(startLocalRedis({ dir, port: redis.port })).rejects.toThrow(NotStartedError);
    const amqpPort = broker.ports.amqp;
    await expect(startRabbitmq({ dir, amqpPort })).rejects.toThrow(NotStartedError);
    expect(await answersRedis({ host: "127.0.0.1", port: redis.port })).toBe(true);
    expect(await answersAmqp({ host: "127.0.0.1", port: amqpPort })).toBe(true);
  });
});

describe("the run's shared RabbitMQ", () => {
  test("gives each caller a virtual host of its own", async () => {
    const broker = await sharedBroker();
    const address = addressOf(broker.url);
    expect(await answersAmqp(address)).toBe(true);
    expect(decodeURIComponent(new URL(broker.url).pathname.slice(1) || "/")).toBe(broker.vhost);
  });
});

describe("a private Redis", () => {
  test("answers, can be killed and started again on its port, and stops", async () => {
    const redis = await startRedis();
    const address = { host: "127.0.0.1", port: redis.port };
    expect(await answersRedis(address)).toBe(true);
    const firstPid = redis.pid();
    await redis.kill();
    expect(await answersRedis(address)).toBe(false);
    await redis.start();
    expect(redis.pid()).not.toBe(firstPid);
    expect(await answersRedis(address)).toBe(true);
    await redis.stop();
    expect(isAlive(redis.pid())).toBe(false);
  });
});
