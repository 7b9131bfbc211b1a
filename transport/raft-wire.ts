// Raft's messages and hellos as the values that protos/raft/v1 generates, and back.
//
// Guarantees: total both ways, without a look at whether a message makes sense (raft-sense.ts).
// Does not own: the envelope (raft-codec.ts).

import { crc32 } from "node:zlib";
import type {
  Entry as WireEntry,
  Envelope as WireEnvelope,
  Hello as WireHello,
  Snapshot as WireSnapshot,
} from "../protos/gen/raft/v1/message.ts";
import { type Configuration, NO_MEMBERS } from "../raft/configuration.ts";
import type { Entry, EntryKind, Message, Snapshot, Term } from "../raft/message.ts";
import type { Hello } from "./hello.ts";

export type WireContent = NonNullable<WireEnvelope["message"]>;
export type WireMessage = Exclude<WireContent, { readonly $case: "hello" }>;

export function messageToWire(message: Message): WireMessage {
  switch (message.kind) {
    case "request-vote":
      return { $case: "requestVote", value: message };
    case "request-vote-result":
      return { $case: "requestVoteResult", value: message };
    case "append-entries": {
      const entries = message.entries.map(entryToWire);
      return { $case: "appendEntries", value: { ...message, entries } };
    }
    case "append-entries-result":
      return { $case: "appendEntriesResult", value: message };
    case "timeout-now":
      return { $case: "timeoutNow", value: {} };
    case "install-snapshot": {
      const { snapshot, round } = message;
      const configuration = configurationToWire(snapshot.configuration);
      const value = { snapshot: { ...snapshot, configuration }, round };
      return { $case: "installSnapshot", value };
    }
    case "snapshot-request":
      return { $case: "snapshotRequest", value: message };
    case "snapshot-chunk": {
      const data = bufferOf(message.data);
      return { $case: "snapshotChunk", value: { ...message, data, crc32: crc32(data) } };
    }
    case "read-index":
      return { $case: "readIndex", value: message };
    case "read-index-result":
      return { $case: "readIndexResult", value: message };
  }
}

export function messageFromWire(term: Term, wire: WireMessage): Message {
  switch (wire.$case) {
    case "requestVote":
      return { kind: "request-vote", term, ...wire.value };
    case "requestVoteResult":
      return { kind: "request-vote-result", term, ...wire.value };
    case "appendEntries": {
      const entries = wire.value.entries.map(entryFromWire);
      return { kind: "append-entries", term, ...wire.value, entries };
    }
    case "appendEntriesResult":
      return { kind: "append-entries-result", term, ...wire.value };
    case "timeoutNow":
      return { kind: "timeout-now", term };
    case "installSnapshot": {
      const { snapshot, round } = wire.value;
      return { kind: "install-snapshot", term, snapshot: snapshotFromWire(snapshot), round };
    }
    case "snapshotRequest":
      return { kind: "snapshot-request", term, ...wire.value };
    case "snapshotChunk": {
      const { index, snapshotTerm, offset, data } = wire.value;
      return { kind: "snapshot-chunk", term, index, snapshotTerm, offset, data };
    }
    case "readIndex":
      return { kind: "read-index", term, ...wire.value };
    case "readIndexResult":
      return { kind: "read-index-result", term, ...wire.value };
  }
}

export function helloToWire(hello: Hello): WireContent {
  const value = {
    isFormed: hello.isFormed,
    mayFound: hello.mayFound,
    members: [...hello.members],
    founding: [...hello.founding],
    founders: [...hello.founders],
    checkpointIndex: hello.checkpoint?.index ?? 0,
    checkpointHash: hello.checkpoint?.hash ?? "",
  };
  return { $case: "hello", value };
}

export function helloFromWire(wire: WireHello): Hello {
  const { isFormed, mayFound, members, founding, founders } = wire;
  const hello = { isFormed, mayFound, members, founding, founders };
  const { checkpointIndex: index, checkpointHash: hash } = wire;
  return index === 0 ? hello : { ...hello, checkpoint: { index, hash } };
}

/** False: the bytes of a chunk are not those that were sent. */
export function isSound(wire: WireContent): boolean {
  return wire.$case !== "snapshotChunk" || crc32(wire.value.data) === wire.value.crc32;
}

function entryToWire(entry: Entry): WireEntry {
  return { ...entry, data: bufferOf(entry.data) };
}

function entryFromWire({ term, index, kind, data, traceparent }: WireEntry): Entry {
  // 0 is the wire's "unspecified" and no kind of ours: refused by raft-sense.ts.
  return { term, index, kind: kind as EntryKind, data, traceparent };
}

function configurationToWire({ voters, outgoing, learners }: Configuration): {
  voters: string[];
  outgoing: string[];
  learners: string[];
} {
  return { voters: [...voters], outgoing: [...outgoing], learners: [...learners] };
}

function snapshotFromWire(wire: WireSnapshot | undefined): Snapshot {
  const { index = 0, term = 0, bytes = 0, checksum = 0 } = wire ?? {};
  // Without members: refused by raft-sense.ts, as is a message without a snapshot.
  const { voters, outgoing, learners } = wire?.configuration ?? NO_MEMBERS;
  return { index, term, configuration: { voters, outgoing, learners }, bytes, checksum };
}

/** The same bytes, not copied. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
