// Is a broker or a Redis really answering? Asked in the protocol itself, with nothing but a socket.
//
// Guarantees: `true` means that the server spoke its protocol back, not merely that a port is
// open. A probe ends within its timeout and leaves no socket behind.

import { connect } from "node:net";

const PROBE_TIMEOUT_MS = 1_000;
const AMQP_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);
/** The first octet of a method frame: Connection.Start. A broker that refuses sends "AMQP". */
const AMQP_METHOD_FRAME = 1;

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** Host and port of an amqp, amqps, redis or rediss URL. */
export function addressOf(url: string): TcpAddress {
  const { hostname, port, protocol } = new URL(url);
  const defaults: Record<string, number> = { "amqp:": 5672, "amqps:": 5671 };
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? (defaults[protocol] ?? 6379) : Number(port),
  };
}

/**
 * True when an AMQP 0-9-1 broker offers a connection. With a cluster's name, only that one: it is
 * among the server properties of Connection.Start.
 */
export function answersAmqp(address: TcpAddress, clusterName = ""): Promise<boolean> {
  return ask(
    address,
    AMQP_HEADER,
    (reply) => reply[0] === AMQP_METHOD_FRAME && reply.includes(clusterName),
  );
}

/** True when a Redis server answers: also with an error such as NOAUTH, but not while it loads. */
export function answersRedis(address: TcpAddress): Promise<boolean> {
  return ask(address, Buffer.from("PING\r\n"), (reply) => {
    const text = reply.toString("latin1");
    return text.startsWith("+PONG") || (text.startsWith("-") && !text.startsWith("-LOADING"));
  });
}

/** True when the Redis that answers is this process, and no other one on the same port. */
export function isRedisProcess(address: TcpAddress, pid: number): Promise<boolean> {
  return ask(address, Buffer.from("INFO server\r\n"), (reply) =>
    reply.toString("latin1").includes(`\r\nprocess_id:${pid}\r\n`),
  );
}

function ask(
  address: TcpAddress,
  question: Buffer,
  isAnswer: (reply: Buffer) => boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, timeout: PROBE_TIMEOUT_MS });
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => socket.write(question));
    socket.once("data", (reply) => settle(isAnswer(Buffer.from(reply))));
    socket.once("timeout", () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
