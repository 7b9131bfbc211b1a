// Messages that can be read and still make no sense, and the sound of a chunk.

import { describe, expect, test } from "@jest/globals";
import { Envelope } from "../../../protos/gen/raft/v1/message.ts";
import { encodeConfiguration } from "../../../raft/configuration.ts";
import { type Entry, EntryKind, type Message } from "../../../raft/message.ts";
import type { Hello } from "../../../transport/hello.ts";
import { MEMBERS_MAX, SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES } from "../../../transport/limit.ts";
import { decodeEnvelope, type EnvelopeHead } from "../../../transport/raft-codec.ts";
import {
  append,
  appendResult,
  bytesOf,
  chunk,
  chunkRequest,
  decoded,
  decodedHello,
  entry,
  head,
  hello,
  install,
  ONE,
  readIndex,
  readIndexResult,
  receiver,
  THREE,
  TWO,
  timeoutNow,
  voteRequest,
  voteResult,
} from "../../support/raft-sample.ts";

describe("sense", () => {
  function idsOf(count: number): string[] {
    return Array.from({ length: count }, (_, at) => `n${at}#0000000a`);
  }

  function configured(data: Uint8Array): Entry {
    return { ...entry(11, 5, data), kind: EntryKind.Configuration };
  }

  function configurationOf(voters: readonly string[]): Uint8Array {
    return encodeConfiguration({ voters, outgoing: [], learners: [] });
  }

  test.each<[string, Message]>([
    ["a vote asked for in term 0", { ...voteRequest, term: 0, lastLogIndex: 0, lastLogTerm: 0 }],
    ["a log newer than its term", { ...voteRequest, lastLogTerm: 6 }],
    ["a last entry without a term", { ...voteRequest, lastLogTerm: 0 }],
    ["a vote granted in term 0", { ...voteResult, term: 0 }],
    ["an append in term 0", append({ term: 0, prevLogIndex: 0, prevLogTerm: 0, entries: [] })],
    ["a previous entry without a term", append({ prevLogTerm: 0 })],
    ["a hole before its entries", append({ entries: [entry(12, 5)] })],
    ["a hole among its entries", append({ entries: [entry(11, 4), entry(13, 5)] })],
    ["an entry twice", append({ entries: [entry(11, 4), entry(11, 4)] })],
    ["falling terms", append({ entries: [entry(11, 5), entry(12, 4)] })],
    ["an entry older than the one before it", append({ entries: [entry(11, 3)] })],
    ["an entry of term 0", append({ prevLogIndex: 0, prevLogTerm: 0, entries: [entry(1, 0)] })],
    ["an entry newer than its message", append({ entries: [entry(11, 6)] })],
    ["a conflict newer than its message", { ...appendResult, conflictTerm: 6 }],
    ["a leader's farewell in term 0", { ...timeoutNow, term: 0 }],
    ["a snapshot newer than its message", install({ term: 6 })],
    ["a snapshot without a term", install({ term: 0 })],
    ["a snapshot larger than any", install({ bytes: SNAPSHOT_BYTES_MAX + 1 })],
    ["a snapshot without voters", install({}, { voters: [] })],
    ["a snapshot with a voter twice", install({}, { voters: [ONE, ONE] })],
    ["a snapshot with a learner that votes", install({}, { learners: [ONE] })],
    ["a snapshot with an old voter twice", install({}, { outgoing: [THREE, THREE] })],
    ["a snapshot with a member without a disk", install({}, { learners: ["n3"] })],
    ["a snapshot with too many members", install({}, { outgoing: idsOf(MEMBERS_MAX + 1) })],
    ["a request for a larger chunk", { ...chunkRequest, bytes: SNAPSHOT_CHUNK_BYTES + 1 }],
    ["a request behind any snapshot", { ...chunkRequest, offset: SNAPSHOT_BYTES_MAX }],
    ["a request without a term", { ...chunkRequest, snapshotTerm: 0 }],
    ["a larger chunk", { ...chunk, data: new Uint8Array(SNAPSHOT_CHUNK_BYTES + 1) }],
    ["a chunk behind any snapshot", { ...chunk, offset: SNAPSHOT_BYTES_MAX }],
    ["a chunk newer than its message", { ...chunk, snapshotTerm: 6 }],
    ["a read asked for in term 0", { ...readIndex, term: 0 }],
    ["a read answered in term 0", { ...readIndexResult, term: 0 }],
    ["a configuration that is none", append({ entries: [configured(Buffer.from("none"))] })],
    ["a configuration without voters", append({ entries: [configured(configurationOf([]))] })],
    ["a configuration of bare names", append({ entries: [configured(configurationOf(["n1"]))] })],
  ])("A message with %s is dropped as senseless.", (_what, message) => {
    expect(decoded(message)).toEqual({ kind: "dropped", cause: "senseless" });
  });

  test("An entry without a kind is dropped.", () => {
    const envelope = Envelope.decode(bytesOf(append()));
    if (envelope.message?.$case !== "appendEntries") throw new Error("not an append");
    const [first] = envelope.message.value.entries;
    if (first === undefined) throw new Error("no entry");
    first.kind = 0;
    const back = decodeEnvelope(Envelope.encode(envelope).finish(), receiver);
    expect(back).toEqual({ kind: "dropped", cause: "senseless" });
  });

  test("A pre-vote of a node that has never seen a term passes.", () => {
    const first = { ...voteRequest, term: 0, lastLogIndex: 0, lastLogTerm: 0, preVote: true };
    expect(decoded(first).kind).toBe("decoded");
    expect(decoded({ ...voteResult, term: 0, preVote: true }).kind).toBe("decoded");
  });
});

describe("a snapshot", () => {
  test("whose message names none is dropped.", () => {
    const envelope = Envelope.decode(bytesOf(install()));
    if (envelope.message?.$case !== "installSnapshot") throw new Error("no snapshot");
    envelope.message.value.snapshot = undefined;
    const back = decodeEnvelope(Envelope.encode(envelope).finish(), receiver);
    expect(back).toEqual({ kind: "dropped", cause: "senseless" });
  });

  test("of the founders, at index 0, passes.", () => {
    expect(decoded(install({ index: 0, term: 0, bytes: 0, checksum: 0 })).kind).toBe("decoded");
  });

  test("loses a chunk with any changed byte of its data.", () => {
    const sent = bytesOf(chunk);
    const at = Buffer.from(sent).indexOf("piece");
    for (let position = at; position < at + 5; position += 1) {
      const bytes = Uint8Array.from(sent);
      bytes[position] = (bytes[position] ?? 0) ^ 0x10;
      expect(decodeEnvelope(bytes, receiver)).toEqual({ kind: "dropped", cause: "checksum" });
    }
  });

  test("travels in chunks of the largest size.", () => {
    const data = Buffer.alloc(SNAPSHOT_CHUNK_BYTES, "x");
    const back = decoded({ ...chunk, data });
    if (back.kind !== "decoded" || back.message.kind !== "snapshot-chunk") throw new Error("none");
    expect(data.equals(back.message.data)).toBe(true);
  });
});

describe("a hello", () => {
  test.each([TWO, "n2"])("to %s comes back as it went.", (to) => {
    const back = decodedHello(hello, { to });
    expect(back).toEqual({ kind: "hello", head: { ...head, to, toIncarnation: 0 }, hello });
  });

  test("of a blank node passes, with the list that it agrees to.", () => {
    const blank = { ...hello, isFormed: false, members: [] };
    expect(decodedHello(blank)).toMatchObject({ kind: "hello", hello: blank });
  });

  test.each<[string, Partial<EnvelopeHead>, string]>([
    ["another name", { to: "n3" }, "other-node"],
    ["another disk of our name", { to: "n2#0000000c" }, "other-node"],
    ["another life of ours", { toIncarnation: 6 }, "other-incarnation"],
    ["us from our own name", { from: "n2#0000000c" }, "senseless"],
    ["us from nobody's disk", { from: "n1" }, "senseless"],
  ])("to %s is dropped.", (_what, changed, cause) => {
    expect(decodedHello(hello, changed)).toEqual({ kind: "dropped", cause });
  });

  test.each<[string, Partial<Hello>]>([
    ["a member without a disk", { members: ["n1"] }],
    ["a member twice", { members: [ONE, ONE] }],
    ["a founding member without a disk", { founding: ["n1"] }],
    ["a founder twice", { founders: ["n1", "n1"] }],
    ["a founder that is a member id", { founders: [ONE] }],
    ["members of no cluster", { isFormed: false }],
    ["a cluster of no members", { members: [] }],
  ])("with %s is dropped.", (_what, changed) => {
    const back = decodedHello({ ...hello, ...changed });
    expect(back).toEqual({ kind: "dropped", cause: "senseless" });
  });
});
