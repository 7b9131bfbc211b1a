// What nodes of different releases make of each other's messages.
//
// Guarantees: a message that went through the codec shares no memory with the one that was sent;
// what a node says is always something that the codec takes.
// Does not own: the bytes (transport/raft-codec.ts).

import type { Message, NodeId } from "../../../raft/message.ts";
import { nameOf } from "../../../transport/member-id.ts";
import { decodeEnvelope, encodeEnvelope } from "../../../transport/raft-codec.ts";
import { Violation } from "../violation.ts";

const CLUSTER = "sim";

const NEW_KINDS: readonly Message["kind"][] = [
  "timeout-now",
  "install-snapshot",
  "snapshot-request",
  "snapshot-chunk",
  "read-index",
  "read-index-result",
];

/** The release before snapshots, transfers and follower reads drops what it has no name for. */
export function isKnownToOldFormat(message: Message): boolean {
  return !NEW_KINDS.includes(message.kind);
}

export interface Addresses {
  readonly from: NodeId;
  readonly fromIncarnation: number;
  readonly to: NodeId;
  readonly toIncarnation: number;
}

export function throughCodec(addresses: Addresses, message: Message): Message {
  // To the member that this machine was before: nobody is there to decode it.
  if (nameOf(addresses.from) === nameOf(addresses.to)) return message;
  const head = { cluster: CLUSTER, ...addresses, sequence: 1 };
  const encoded = encodeEnvelope(head, message);
  if (encoded.kind === "dropped") throw new Violation("codec", `${message.kind}: ${encoded.cause}`);
  const receiver = {
    cluster: CLUSTER,
    memberId: addresses.to,
    incarnation: addresses.toIncarnation || 1,
  };
  const decoded = decodeEnvelope(encoded.bytes, receiver);
  if (decoded.kind === "decoded") return decoded.message;
  const cause = decoded.kind === "dropped" ? decoded.cause : decoded.kind;
  throw new Violation("codec", `${JSON.stringify(message)}: ${cause}`);
}
