// What nodes say to each other as bytes: the envelope of protos/raft/v1, encoded and checked.
//
// Guarantees: decode never throws, whatever the bytes, and hands up only what was meant for this
// incarnation of this member of this cluster and makes sense by itself. Sizes are checked both
// ways. What a later version says and this one does not know is dropped and counted by itself
// (raft-lessons L60).
// Does not own: what makes sense (raft-sense.ts), what is known of a peer's incarnation
// (amqp/incarnation.ts), the lanes.

import { Envelope as WireEnvelope } from "../protos/gen/raft/v1/message.ts";
import type { Message, NodeId } from "../raft/message.ts";
import type { Hello } from "./hello.ts";
import { AMQP_MESSAGE_BYTES_MAX } from "./limit.ts";
import { isMemberId, nameOf } from "./member-id.ts";
import { isSensibleHello, isSensibleMessage } from "./raft-sense.ts";
import {
  helloFromWire,
  helloToWire,
  isSound,
  messageFromWire,
  messageToWire,
  type WireContent,
} from "./raft-wire.ts";

const VERSION = 1;
/** Room for the envelope's own fields, and for those of an entry, when a size is estimated. */
const ENVELOPE_BYTES = 1_024;
const ENTRY_BYTES = 128;

export interface EnvelopeHead {
  readonly cluster: string;
  readonly from: NodeId;
  readonly fromIncarnation: number;
  /** A hello may go to a bare name. */
  readonly to: NodeId;
  /** 0: not known. Only requests and hellos may leave it open. */
  readonly toIncarnation: number;
  /** Rises by one a message, per sender and receiver. From 1. */
  readonly sequence: number;
}

/** Who decodes. */
export interface Receiver {
  readonly cluster: string;
  readonly memberId: NodeId;
  readonly incarnation: number;
}

export type DropCause =
  | "too-large"
  | "malformed"
  | "other-version"
  | "other-cluster"
  | "other-node"
  | "unknown-message"
  | "other-incarnation"
  | "checksum"
  | "senseless";

interface Dropped {
  readonly kind: "dropped";
  readonly cause: DropCause;
}

export type Encoded = { readonly kind: "encoded"; readonly bytes: Uint8Array } | Dropped;

export type Decoded =
  | { readonly kind: "decoded"; readonly head: EnvelopeHead; readonly message: Message }
  | { readonly kind: "hello"; readonly head: EnvelopeHead; readonly hello: Hello }
  | Dropped;

/** Nobody but the life that asked can use it. */
export function isResult({ kind }: Message): boolean {
  return (
    kind === "request-vote-result" ||
    kind === "append-entries-result" ||
    kind === "read-index-result"
  );
}

export function encodeEnvelope(head: EnvelopeHead, message: Message): Encoded {
  if (estimatedBytes(message) > AMQP_MESSAGE_BYTES_MAX) return dropped("too-large");
  return encode(head, message.term, messageToWire(message));
}

export function encodeHello(head: EnvelopeHead, hello: Hello): Encoded {
  return encode(head, 0, helloToWire(hello));
}

export function decodeEnvelope(bytes: Uint8Array, receiver: Receiver): Decoded {
  if (bytes.length > AMQP_MESSAGE_BYTES_MAX) return dropped("too-large");
  let envelope: WireEnvelope;
  try {
    envelope = WireEnvelope.decode(bytes);
  } catch {
    // The decoder tells "not protobuf" by throwing; the caller counts it.
    return dropped("malformed");
  }
  const { version, cluster, from, fromIncarnation, to, toIncarnation, sequence } = envelope;
  const content = envelope.message;
  if (version === 0) return dropped("malformed");
  if (version !== VERSION) return dropped("other-version");
  if (cluster !== receiver.cluster) return dropped("other-cluster");
  const ownName = nameOf(receiver.memberId);
  const isToName = content?.$case === "hello" && to === ownName;
  if (to !== receiver.memberId && !isToName) return dropped("other-node");
  if (content === undefined) return dropped("unknown-message");
  // Nobody else has our name: one who says so is our own earlier life, or its disk's.
  if (!isMemberId(from) || nameOf(from) === ownName) return dropped("senseless");
  if (fromIncarnation < 1 || sequence < 1) return dropped("senseless");
  const head = { cluster, from, fromIncarnation, to, toIncarnation, sequence };
  const isForAnotherLife = toIncarnation !== receiver.incarnation;
  if (content.$case === "hello") {
    if (isForAnotherLife && toIncarnation !== 0) return dropped("other-incarnation");
    const hello = helloFromWire(content.value);
    return isSensibleHello(hello) ? { kind: "hello", head, hello } : dropped("senseless");
  }
  const message = messageFromWire(envelope.term, content);
  const isOpenRequest = toIncarnation === 0 && !isResult(message);
  if (isForAnotherLife && !isOpenRequest) return dropped("other-incarnation");
  if (!isSensibleMessage(message)) return dropped("senseless");
  if (!isSound(content)) return dropped("checksum");
  return { kind: "decoded", head, message };
}

function encode(head: EnvelopeHead, term: number, message: WireContent): Encoded {
  const bytes = WireEnvelope.encode({ version: VERSION, ...head, term, message }).finish();
  if (bytes.length > AMQP_MESSAGE_BYTES_MAX) return dropped("too-large");
  return { kind: "encoded", bytes };
}

function dropped(cause: DropCause): Dropped {
  return { kind: "dropped", cause };
}

function estimatedBytes(message: Message): number {
  if (message.kind === "snapshot-chunk") return ENVELOPE_BYTES + message.data.length;
  if (message.kind !== "append-entries") return ENVELOPE_BYTES;
  let bytes = ENVELOPE_BYTES;
  for (const entry of message.entries) bytes += ENTRY_BYTES + entry.data.length;
  return bytes;
}
