// A RabbitMQ for tests: a private one, or a virtual host of the run's shared one.
//
// Guarantees: what is started here is stopped after the test file's last test, also when tests
// fail; if the test process itself dies, the broker dies with it (deploy/local/process.ts).
// `startBroker` takes seconds: for tests that kill, freeze or restart the broker. All others take
// `sharedBroker`, which costs a few milliseconds and isolates by virtual host.

import { randomBytes } from "node:crypto";
import { type LocalRabbitmq, startRabbitmq } from "../../deploy/local/rabbitmq.ts";
import { temporaryFolder } from "./folder.ts";
import { atEnd } from "./teardown.ts";

/** jest.setTimeout for files that start a broker of their own. */
export const BROKER_START_TIMEOUT_MS = 120_000;

export type Broker = LocalRabbitmq;

export interface SharedBroker {
  /** The URL with a virtual host of its own. */
  readonly url: string;
  readonly managementUrl: string;
  readonly vhost: string;
}

const START_ATTEMPTS = 2;

export async function startBroker(): Promise<Broker> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const broker = await startRabbitmq({ dir: temporaryFolder("rabbitmq") });
      // Killed, not stopped: a graceful end takes five seconds and nothing is kept.
      atEnd(() => broker.kill());
      return broker;
    } catch (error) {
      // A port may have been taken between choosing and binding it: once more with others.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

/** A new virtual host of the run's shared broker; without global set-up, a private broker. */
export async function sharedBroker(): Promise<SharedBroker> {
  const service = process.env["QUORUMQ_TEST_BROKER_SERVICE"];
  if (service === undefined) {
    const own = await startBroker();
    return { url: own.url, managementUrl: own.managementUrl, vhost: "/" };
  }
  const { url, managementUrl } = await getShared(service);
  const vhost = `test-${randomBytes(6).toString("hex")}`;
  const { username, password } = new URL(url);
  const manage = async (method: string, path: string, body?: object): Promise<void> => {
    const answer = await fetch(`${managementUrl}/api/${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`RabbitMQ management: ${method} ${path}: ${answer.status}`);
  };
  await manage("PUT", `vhosts/${vhost}`);
  atEnd(() => manage("DELETE", `vhosts/${vhost}`));
  const all = { configure: ".*", write: ".*", read: ".*" };
  await manage("PUT", `permissions/${vhost}/${username}`, all);
  return { url: `${url}/${vhost}`, managementUrl, vhost };
}

async function getShared(service: string): Promise<{ url: string; managementUrl: string }> {
  const answer = await fetch(service);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`the shared RabbitMQ could not be started: ${text}`);
  return JSON.parse(text) as { url: string; managementUrl: string };
}
