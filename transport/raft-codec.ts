// Raft messages as bytes: the envelope of protos/raft/v1, encoded and checked.
//
// Guarantees: decode never throws, whatever the bytes, and hands up only what was meant for this
// incarnation of this node of this cluster and makes sense by itself: garbage can be valid protobuf
// (ten zero bytes are an empty message), so each number is checked. Sizes are checked both ways.
// Does not own: what is known of a peer's incarnation (amqp/incarnation.ts) nor the lanes.

import {
  type AppendEntries as WireAppendEntries,
  type Entry as WireEntry,
  Envelope as WireEnvelope,
} from "../protos/gen/raft/v1/message.ts";
import { type Entry, EntryKind, type Message, type NodeId, type Term } from "../raft/message.ts";
import { AMQP_MESSAGE_BYTES_MAX } from "./limit.ts";

const VERSION = 1;
/** Room for the envelope's own fields, and for those of an entry, when a size is estimated. */
const ENVELOPE_BYTES = 1_024;
const ENTRY_BYTES = 128;

export interface EnvelopeHead {
  readonly cluster: string;
  readonly from: NodeId;
  readonly fromIncarnation: number;
  readonly to: NodeId;
  /** 0: not known. Only requests may leave it open. */
  readonly toIncarnation: number;
  /** Rises by one a message, per sender and receiver. From 1. */
  readonly sequence: number;
}

/** Who decodes. */
export interface Receiver {
  readonly cluster: string;
  readonly nodeId: NodeId;
  readonly incarnation: number;
}

export type DropCause =
  | "too-large"
  | "malformed"
  | "other-version"
  | "other-cluster"
  | "other-node"
  | "other-incarnation"
  | "senseless";

export type Encoded =
  | { readonly kind: "encoded"; readonly bytes: Uint8Array }
  | { readonly kind: "dropped"; readonly cause: DropCause };

export type Decoded =
  | { readonly kind: "decoded"; readonly head: EnvelopeHead; readonly message: Message }
  | { readonly kind: "dropped"; readonly cause: DropCause };

type WireMessage = NonNullable<WireEnvelope["message"]>;

export function isResult(message: Message): boolean {
  return message.kind === "request-vote-result" || message.kind === "append-entries-result";
}

export function encodeEnvelope(head: EnvelopeHead, message: Message): Encoded {
  if (estimatedBytes(message) > AMQP_MESSAGE_BYTES_MAX) return dropped("too-large");
  const bytes = WireEnvelope.encode({
    version: VERSION,
    ...head,
    term: message.term,
    message: toWire(message),
  }).finish();
  if (bytes.length > AMQP_MESSAGE_BYTES_MAX) return dropped("too-large");
  return { kind: "encoded", bytes };
}

export function decodeEnvelope(bytes: Uint8Array, receiver: Receiver): Decoded {
  if (bytes.length > AMQP_MESSAGE_BYTES_MAX) return dropped("too-large");
  let envelope: WireEnvelope;
  try {
    envelope = WireEnvelope.decode(bytes);
  } catch {
    // The decoder says "not protobuf" by throwing; the caller counts it.
    return dropped("malformed");
  }
  if (envelope.message === undefined) return dropped("malformed");
  if (envelope.version !== VERSION) return dropped("other-version");
  if (envelope.cluster !== receiver.cluster) return dropped("other-cluster");
  if (envelope.to !== receiver.nodeId) return dropped("other-node");
  const message = fromWire(envelope.term, envelope.message);
  const isOpenRequest = envelope.toIncarnation === 0 && !isResult(message);
  if (!isOpenRequest && envelope.toIncarnation !== receiver.incarnation) {
    return dropped("other-incarnation");
  }
  if (!makesSense(envelope, message)) return dropped("senseless");
  const { cluster, from, fromIncarnation, to, toIncarnation, sequence } = envelope;
  const head = { cluster, from, fromIncarnation, to, toIncarnation, sequence };
  return { kind: "decoded", head, message };
}

function dropped(cause: DropCause): { readonly kind: "dropped"; readonly cause: DropCause } {
  return { kind: "dropped", cause };
}

function estimatedBytes(message: Message): number {
  if (message.kind !== "append-entries") return ENVELOPE_BYTES;
  let bytes = ENVELOPE_BYTES;
  for (const entry of message.entries) bytes += ENTRY_BYTES + entry.data.length;
  return bytes;
}

function toWire(message: Message): WireMessage {
  switch (message.kind) {
    case "request-vote":
      return { $case: "requestVote", value: message };
    case "request-vote-result":
      return { $case: "requestVoteResult", value: message };
    case "append-entries-result":
      return { $case: "appendEntriesResult", value: message };
    case "append-entries":
      return {
        $case: "appendEntries",
        value: { ...message, entries: message.entries.map(entryToWire) },
      };
  }
}

function entryToWire(entry: Entry): WireEntry {
  const { buffer, byteOffset, byteLength } = entry.data;
  return { ...entry, data: Buffer.from(buffer, byteOffset, byteLength) };
}

function fromWire(term: Term, wire: WireMessage): Message {
  switch (wire.$case) {
    case "requestVote":
      return { kind: "request-vote", term, ...wire.value };
    case "requestVoteResult":
      return { kind: "request-vote-result", term, ...wire.value };
    case "appendEntriesResult":
      return { kind: "append-entries-result", term, ...wire.value };
    case "appendEntries":
      return { kind: "append-entries", term, ...wire.value, entries: entriesFromWire(wire.value) };
  }
}

function entriesFromWire(wire: WireAppendEntries): Entry[] {
  return wire.entries.map(({ term, index, kind, data, traceparent }) => {
    // 0 is the wire's "unspecified" and no kind of ours: refused below.
    return { term, index, kind: kind as EntryKind, data, traceparent };
  });
}

function makesSense(envelope: WireEnvelope, message: Message): boolean {
  if (envelope.from === "" || envelope.from === envelope.to) return false;
  if (envelope.fromIncarnation < 1 || envelope.sequence < 1) return false;
  switch (message.kind) {
    case "request-vote":
      return (
        // Only a pre-vote can come from a node that has never seen an election.
        (message.term >= 1 || message.preVote) &&
        isLogPosition(message.lastLogIndex, message.lastLogTerm, message.term)
      );
    case "request-vote-result":
      return message.term >= 1 || message.preVote;
    case "append-entries":
      return (
        message.term >= 1 &&
        isLogPosition(message.prevLogIndex, message.prevLogTerm, message.term) &&
        areEntries(message.entries, message.prevLogIndex, message.prevLogTerm, message.term)
      );
    case "append-entries-result":
      return message.term >= 1 && message.conflictTerm <= message.term;
  }
}

/** Index and term are both 0 (before the log) or both not; no entry is newer than the message. */
function isLogPosition(index: number, term: Term, messageTerm: Term): boolean {
  return (index === 0) === (term === 0) && term <= messageTerm;
}

/** Without a hole behind prevLogIndex, with terms that never fall (Log Matching, §5.3). */
function areEntries(
  entries: readonly Entry[],
  prevLogIndex: number,
  prevLogTerm: Term,
  messageTerm: Term,
): boolean {
  let term = prevLogTerm;
  for (const [offset, entry] of entries.entries()) {
    if (entry.index !== prevLogIndex + 1 + offset) return false;
    if (entry.term < 1 || entry.term < term || entry.term > messageTerm) return false;
    if (!isEntryKind(entry.kind)) return false;
    term = entry.term;
  }
  return true;
}

function isEntryKind(kind: number): boolean {
  return kind === EntryKind.Command || kind === EntryKind.NoOp || kind === EntryKind.Configuration;
}
