// A sensible message of each kind, from n1 to n2, and its way through the codec.

import {
  type AppendEntries,
  type AppendEntriesResult,
  type Entry,
  EntryKind,
  type InstallSnapshot,
  type Message,
  type ReadIndex,
  type ReadIndexResult,
  type RequestVote,
  type RequestVoteResult,
  type Snapshot,
  type SnapshotChunk,
  type TimeoutNow,
} from "../../raft/message.ts";
import type { Hello } from "../../transport/hello.ts";
import { SNAPSHOT_CHUNK_BYTES } from "../../transport/limit.ts";
import {
  type Decoded,
  decodeEnvelope,
  type EnvelopeHead,
  encodeEnvelope,
  encodeHello,
} from "../../transport/raft-codec.ts";

export const ONE = "n1#0000000a";
export const TWO = "n2#0000000b";
export const THREE = "n3#0000000c";
export const receiver = { cluster: "c", memberId: TWO, incarnation: 7 };
export const head: EnvelopeHead = {
  cluster: "c",
  from: ONE,
  fromIncarnation: 3,
  to: TWO,
  toIncarnation: 7,
  sequence: 1,
};

export function bytesOf(message: Message, changed: Partial<EnvelopeHead> = {}): Uint8Array {
  const encoded = encodeEnvelope({ ...head, ...changed }, message);
  if (encoded.kind !== "encoded") throw new Error(encoded.cause);
  return encoded.bytes;
}

export function decoded(message: Message, changed: Partial<EnvelopeHead> = {}): Decoded {
  return decodeEnvelope(bytesOf(message, changed), receiver);
}

export function decodedHello(hello: Hello, changed: Partial<EnvelopeHead> = {}): Decoded {
  const encoded = encodeHello({ ...head, toIncarnation: 0, ...changed }, hello);
  if (encoded.kind !== "encoded") throw new Error(encoded.cause);
  return decodeEnvelope(encoded.bytes, receiver);
}

export function entry(index: number, term: number, data: Uint8Array = Buffer.from("x")): Entry {
  return { index, term, kind: EntryKind.Command, data, traceparent: "" };
}

export function append(changed: Partial<AppendEntries> = {}): AppendEntries {
  return {
    kind: "append-entries",
    term: 5,
    prevLogIndex: 10,
    prevLogTerm: 4,
    leaderCommit: 9,
    entries: [entry(11, 4), entry(12, 5)],
    round: 2,
    ...changed,
  };
}

export function install(
  changed: Partial<Snapshot> = {},
  configuration: Partial<Snapshot["configuration"]> = {},
): InstallSnapshot {
  const members = { voters: [ONE, TWO], outgoing: [], learners: [THREE], ...configuration };
  const snapshot = { index: 9, term: 4, configuration: members, bytes: 100, checksum: 7 };
  return { kind: "install-snapshot", term: 5, snapshot: { ...snapshot, ...changed }, round: 2 };
}

export const voteRequest: RequestVote = {
  kind: "request-vote",
  term: 5,
  lastLogIndex: 12,
  lastLogTerm: 4,
  preVote: false,
  transfer: false,
};
export const voteResult: RequestVoteResult = {
  kind: "request-vote-result",
  term: 5,
  voteGranted: true,
  preVote: false,
};
export const appendResult: AppendEntriesResult = {
  kind: "append-entries-result",
  term: 5,
  success: false,
  matchIndex: 0,
  conflictTerm: 3,
  conflictIndex: 8,
  rejectedIndex: 10,
  round: 2,
};

export const timeoutNow: TimeoutNow = { kind: "timeout-now", term: 5 };
export const chunkRequest = {
  kind: "snapshot-request",
  term: 5,
  index: 9,
  snapshotTerm: 4,
  offset: 0,
  bytes: SNAPSHOT_CHUNK_BYTES,
} as const;
export const chunk: SnapshotChunk = {
  kind: "snapshot-chunk",
  term: 5,
  index: 9,
  snapshotTerm: 4,
  offset: 0,
  data: Buffer.from("piece"),
};
export const readIndex: ReadIndex = { kind: "read-index", term: 5, readId: 3 };
export const readIndexResult: ReadIndexResult = {
  kind: "read-index-result",
  term: 5,
  readId: 3,
  readIndex: 8,
};
export const hello: Hello = {
  isFormed: true,
  mayFound: true,
  members: [ONE, TWO, THREE],
  founding: [ONE, TWO],
  founders: ["n1", "n2"],
};
