// The session by itself: what it logs, when it rebuilds, what it never lets out.

import { expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import {
  openSession,
  type SessionOptions,
  type SessionState,
} from "../../../transport/amqp/session.ts";
import { type Logger, silentLogger } from "../../../transport/telemetry/logger.ts";
import { BROKER_START_TIMEOUT_MS, sharedBroker } from "../../support/broker.ts";
import { openRelay, startRelay } from "../../support/relay.ts";
import { atEnd } from "../../support/teardown.ts";

jest.setTimeout(BROKER_START_TIMEOUT_MS);

const { url } = await sharedBroker();

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly cause?: string;
  readonly broker?: string;
}

function recordingLogger(): { readonly logger: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as LogLine) });
  return { logger, lines };
}

interface Opened {
  readonly session: ReturnType<typeof openSession>;
  readonly states: SessionState[];
  untilState(state: SessionState, count: number): Promise<void>;
}

function open(options: Partial<SessionOptions>): Opened {
  const states: SessionState[] = [];
  let check = (): void => undefined;
  const session = openSession({
    url,
    connectionName: "test session",
    setup: async () => undefined,
    logger: silentLogger(),
    onState: (state) => {
      states.push(state);
      check();
    },
    ...options,
  });
  atEnd(() => session.close());
  return {
    session,
    states,
    untilState: (state, count) =>
      new Promise((resolve) => {
        check = () => {
          if (states.filter((one) => one === state).length >= count) resolve();
        };
        check();
      }),
  };
}

test("Many failed tries are one line, without the password; success is another.", async () => {
  const { logger, lines } = recordingLogger();
  const late = await startRelay(url);
  const { session } = open({ url: late.url, logger });
  await late.refused(4);
  expect(lines).toHaveLength(1);
  expect(lines[0]?.broker).toContain("amqp://guest@127.0.0.1:");
  late.accept();
  await session.connected();
  expect(lines.map(({ msg }) => msg)).toEqual([
    "cannot use RabbitMQ; trying again until it works",
    "connected to RabbitMQ",
  ]);
  expect(JSON.stringify(lines)).not.toContain("guest:guest");
});

test("A cut socket is a lost connection; setup runs again and consumers are back.", async () => {
  const line = await openRelay(url);
  let setups = 0;
  const received: string[] = [];
  let notify = (): void => undefined;
  const { session, states, untilState } = open({
    url: line.url,
    setup: async (connection) => {
      setups += 1;
      await connection.channel.assertQueue("cut", { exclusive: true, autoDelete: true });
      await connection.consume("cut", (message) => {
        received.push(String(message.content));
        notify();
      });
    },
  });
  await session.connected();
  line.cut();
  await untilState("disconnected", 1);
  expect(session.publish("", "cut", Buffer.from("lost"))).toBe(false);
  await untilState("connected", 2);
  const arrived = new Promise<void>((resolve) => {
    notify = resolve;
  });
  expect(session.publish("", "cut", Buffer.from("back"))).toBe(true);
  await arrived;
  expect(received).toEqual(["back"]);
  expect(setups).toBe(2);
  expect(states).toEqual(["connected", "disconnected", "connected"]);
});

test("A socket cut at any point of connecting and setting up is survived.", async () => {
  const line = await openRelay(url);
  let setups = 0;
  const { session } = open({
    url: line.url,
    setup: async ({ channel }) => {
      setups += 1;
      await channel.assertQueue("early", { exclusive: true });
      // The library crashed the process when it lost its socket here (2.3.1, without listeners).
      if (setups <= 3) line.cut();
      await channel.assertQueue("late", { exclusive: true });
    },
  });
  await session.connected();
  expect(setups).toBe(4);
});

test("A channel that the broker closes is rebuilt, with what setup declares.", async () => {
  const { logger, lines } = recordingLogger();
  const { session, untilState } = open({ logger });
  await session.connected();
  // 404: from here on this channel would swallow everything.
  expect(session.publish("no-such-exchange", "x", Buffer.from("x"))).toBe(true);
  await untilState("connected", 2);
  expect(lines.map(({ cause }) => cause).join()).toContain("NOT_FOUND");
});

test("A queue deleted under its consumer is declared and consumed again.", async () => {
  let setups = 0;
  const { session, untilState } = open({
    setup: async (connection) => {
      setups += 1;
      await connection.channel.assertQueue("deleted", { durable: true, autoDelete: true });
      await connection.consume("deleted", () => undefined);
    },
  });
  await session.connected();
  const other = open({
    setup: async ({ channel }) => {
      await channel.deleteQueue("deleted");
    },
  });
  await other.session.connected();
  await untilState("connected", 2);
  expect(setups).toBe(2);
});

test("A setup that fails is tried again; a refusal on a channel of its own is not.", async () => {
  let setups = 0;
  const { session } = open({
    setup: async (connection) => {
      setups += 1;
      const checked = connection.withChannel((channel) => channel.checkQueue("no-such-queue"));
      await expect(checked).rejects.toMatchObject({ code: 404 });
      await connection.channel.assertQueue("after", { exclusive: true });
      if (setups < 3) throw new Error("not yet");
    },
  });
  await session.connected();
  expect(setups).toBe(3);
});

test("A setup that hangs is given up after its time.", async () => {
  let setups = 0;
  const { session } = open({
    setupTimeoutMs: 100,
    setup: () => {
      setups += 1;
      return setups === 1 ? new Promise(() => undefined) : Promise.resolve();
    },
  });
  await session.connected();
  expect(setups).toBe(2);
});

test("A wrong password is named in the log and tried again.", async () => {
  const { logger, lines } = recordingLogger();
  const wrong = new URL(url);
  wrong.password = "wrong-secret";
  const { session } = open({ url: wrong.href, logger });
  while (lines.length === 0) await new Promise(setImmediate);
  expect(lines[0]?.cause).toContain("ACCESS_REFUSED");
  expect(JSON.stringify(lines)).not.toContain("wrong-secret");
  expect(session.state).toBe("disconnected");
});

test("Closing ends a hanging setup, a session that waits, and can be done twice.", async () => {
  const { session, states } = open({ setup: () => new Promise(() => undefined) });
  const waiting = session.connected();
  const refused = expect(waiting).rejects.toThrow("closed");
  await session.close();
  await session.close();
  await refused;
  await expect(session.connected()).rejects.toThrow("closed");
  expect(session.publish("", "x", Buffer.from("x"))).toBe(false);
  expect(states).toEqual(["closed"]);
});

test("A mandatory message that no queue takes comes back.", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { session } = open({ onReturn: (message) => resolve(message.fields.routingKey) });
  await session.connected();
  session.publish("", "no-such-queue", Buffer.from("x"), { mandatory: true });
  expect(await promise).toBe("no-such-queue");
});
