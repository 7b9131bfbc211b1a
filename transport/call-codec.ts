// Client traffic as bytes: batches of calls, batches of answers, the leader's beacon.
//
// Guarantees: decoding never throws; what is refused says by which cause, for the counters. Each
// call and answer is encoded once, by itself, so that batches can be measured before they are made
// and a call can be sent again as it is.
// Does not own: queues and exchanges (amqp/), nor what a call means.

import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Answer, Call, ClientRequest, ClientResponse } from "../protos/gen/node/v1/exchange.ts";
import {
  AMQP_MESSAGE_BYTES_MAX,
  CLIENT_BATCH_BYTES_MAX,
  CLIENT_BATCH_CALLS_MAX,
  NAME_LENGTH_MAX,
} from "./limit.ts";

/** Of ClientRequest and ClientResponse. Another one is dropped. */
const EXCHANGE_VERSION = 1;

// Tags of the repeated fields (field << 3 | 2), whose elements are already encoded.
const CALLS_TAG = (4 << 3) | 2;
const ANSWERS_TAG = (5 << 3) | 2;

export type Undecodable = { readonly dropped: "oversized" | "malformed" | "version" | "cluster" };

/** Who leads, or with term 0: who has ceased to. */
export interface Beacon {
  readonly node: string;
  readonly incarnation: number;
  readonly term: number;
}

export function encodeCall(call: Call): Uint8Array {
  return Call.encode(call).finish();
}

export function encodeAnswer(answer: Answer): Uint8Array {
  return Answer.encode(answer).finish();
}

export function encodeRequest(
  cluster: string,
  replyTo: string,
  calls: readonly Uint8Array[],
): Buffer {
  const writer = ClientRequest.encode({ version: EXCHANGE_VERSION, cluster, replyTo, calls: [] });
  for (const call of calls) writer.uint32(CALLS_TAG).bytes(call);
  return finish(writer);
}

export function encodeResponse(
  from: { readonly cluster: string; readonly node: string; readonly term: number },
  answers: readonly Uint8Array[],
): Buffer {
  const { cluster, node, term } = from;
  const writer = ClientResponse.encode({
    version: EXCHANGE_VERSION,
    cluster,
    node,
    term,
    answers: [],
  });
  for (const answer of answers) writer.uint32(ANSWERS_TAG).bytes(answer);
  return finish(writer);
}

export function decodeRequest(bytes: Uint8Array, cluster: string): ClientRequest | Undecodable {
  return decode(ClientRequest, bytes, cluster);
}

export function decodeResponse(bytes: Uint8Array, cluster: string): ClientResponse | Undecodable {
  return decode(ClientResponse, bytes, cluster);
}

export function encodeBeacon(beacon: Beacon): Buffer {
  return Buffer.from(JSON.stringify(beacon), "utf8");
}

export function decodeBeacon(bytes: Uint8Array): Beacon | null {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    // JSON.parse has no other way to say no.
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { node, incarnation, term } = { ...value } as Record<string, unknown>;
  if (typeof node !== "string" || node === "" || node.length > NAME_LENGTH_MAX) return null;
  if (!isCount(incarnation) || !isCount(term)) return null;
  return { node, incarnation, term };
}

/** Cut by count and bytes; one element always goes. */
export function* batches<T>(
  elements: readonly T[],
  bytesOf: (element: T) => Uint8Array,
): Generator<readonly T[]> {
  let start = 0;
  let bytes = 0;
  for (const [position, element] of elements.entries()) {
    const { byteLength } = bytesOf(element);
    const isFull =
      position - start >= CLIENT_BATCH_CALLS_MAX || bytes + byteLength > CLIENT_BATCH_BYTES_MAX;
    if (isFull && position > start) {
      yield elements.slice(start, position);
      start = position;
      bytes = 0;
    }
    bytes += byteLength;
  }
  if (start < elements.length) yield elements.slice(start);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function decode<T extends { readonly version: number; readonly cluster: string }>(
  type: { decode(bytes: Uint8Array): T },
  bytes: Uint8Array,
  cluster: string,
): T | Undecodable {
  if (bytes.byteLength > AMQP_MESSAGE_BYTES_MAX) return { dropped: "oversized" };
  let message: T;
  try {
    message = type.decode(bytes);
  } catch {
    // The generated decoder's only way to say "malformed" is to throw.
    return { dropped: "malformed" };
  }
  if (message.version !== EXCHANGE_VERSION) return { dropped: "version" };
  if (message.cluster !== cluster) return { dropped: "cluster" };
  return message;
}

function finish(writer: BinaryWriter): Buffer {
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
