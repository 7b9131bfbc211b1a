// Envelopes: what goes in comes out, and nothing else is ever handed up.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Envelope } from "../../../protos/gen/raft/v1/message.ts";
import { encodeConfiguration } from "../../../raft/configuration.ts";
import { type Entry, EntryKind, type Message } from "../../../raft/message.ts";
import {
  AMQP_MESSAGE_BYTES_MAX,
  COMMAND_BYTES_MAX,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_CHUNK_BYTES,
} from "../../../transport/limit.ts";
import {
  decodeEnvelope,
  type EnvelopeHead,
  encodeEnvelope,
  isResult,
} from "../../../transport/raft-codec.ts";
import {
  append,
  appendResult,
  bytesOf,
  chunkRequest,
  decoded,
  entry,
  head,
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

const safe = fc.maxSafeNat();
const term = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const anyEntries = fc
  .record({
    prevLogIndex: fc.integer({ min: 0, max: 2 ** 40 }),
    steps: fc.array(
      fc.record({
        rise: fc.nat(3),
        kind: fc.constantFrom(EntryKind.Command, EntryKind.NoOp, EntryKind.Configuration),
        data: fc.uint8Array({ maxLength: 200 }),
        members: fc.subarray([ONE, TWO, THREE], { minLength: 1 }),
        traceparent: fc.string({ maxLength: 55 }),
      }),
      { maxLength: 20 },
    ),
  })
  .map(({ prevLogIndex, steps }) => {
    let last = prevLogIndex === 0 ? 0 : 1;
    const prevLogTerm = last;
    const entries = steps.map(({ rise, kind, data, members, traceparent }, at): Entry => {
      last = Math.max(1, last + rise);
      const configuration = { voters: members, outgoing: [], learners: [] };
      const isConfiguration = kind === EntryKind.Configuration;
      const content = isConfiguration ? encodeConfiguration(configuration) : data;
      return { index: prevLogIndex + 1 + at, term: last, kind, data: content, traceparent };
    });
    return { prevLogIndex, prevLogTerm, entries, term: last + 1 };
  });
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc
    .record({ term, preVote: fc.boolean(), transfer: fc.boolean(), lastLogIndex: safe })
    .map((vote): Message => {
      const lastLogTerm = vote.lastLogIndex === 0 ? 0 : vote.term;
      return { kind: "request-vote", ...vote, lastLogTerm };
    }),
  fc
    .record({ term, voteGranted: fc.boolean(), preVote: fc.boolean() })
    .map((result): Message => ({ kind: "request-vote-result", ...result })),
  fc
    .record({ log: anyEntries, leaderCommit: safe, round: safe })
    .map(({ log, ...rest }): Message => ({ kind: "append-entries", ...log, ...rest })),
  fc
    .record({
      term,
      success: fc.boolean(),
      matchIndex: safe,
      conflictIndex: safe,
      rejectedIndex: safe,
      round: safe,
    })
    .map((result): Message => {
      return { kind: "append-entries-result", ...result, conflictTerm: result.term };
    }),
  term.map((value): Message => ({ kind: "timeout-now", term: value })),
  fc
    .record({
      index: safe,
      term,
      bytes: fc.integer({ min: 0, max: SNAPSHOT_BYTES_MAX }),
      checksum: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      voters: fc.subarray([ONE, TWO], { minLength: 1 }),
      outgoing: fc.subarray([ONE, TWO, THREE]),
      round: safe,
    })
    .map(({ index, term: value, bytes, checksum, voters, outgoing, round }): Message => {
      const configuration = { voters, outgoing, learners: [THREE] };
      const place = { index, term: index === 0 ? 0 : value };
      const snapshot = { ...place, configuration, bytes, checksum };
      return { kind: "install-snapshot", term: value, snapshot, round };
    }),
  fc
    .record({
      term,
      index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      offset: fc.integer({ min: 0, max: SNAPSHOT_BYTES_MAX - SNAPSHOT_CHUNK_BYTES }),
      bytes: fc.integer({ min: 0, max: SNAPSHOT_CHUNK_BYTES }),
    })
    .map((asked): Message => ({ kind: "snapshot-request", snapshotTerm: asked.term, ...asked })),
  fc
    .record({
      term,
      index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      offset: fc.integer({ min: 0, max: SNAPSHOT_BYTES_MAX - SNAPSHOT_CHUNK_BYTES }),
      data: fc.uint8Array({ maxLength: 500 }),
    })
    .map((piece): Message => ({ kind: "snapshot-chunk", snapshotTerm: piece.term, ...piece })),
  fc.record({ term, readId: safe }).map((asked): Message => ({ kind: "read-index", ...asked })),
  fc
    .record({ term, readId: safe, readIndex: safe })
    .map((result): Message => ({ kind: "read-index-result", ...result })),
);

/** Without the difference between Buffer and Uint8Array. */
function comparable(message: Message): unknown {
  if (message.kind === "snapshot-chunk") return { ...message, data: [...message.data] };
  if (message.kind !== "append-entries") return message;
  const entries = message.entries.map((one) => ({ ...one, data: [...one.data] }));
  return { ...message, entries };
}

test("Every sensible message comes back as it went.", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const back = decoded(message);
      if (back.kind !== "decoded") throw new Error(back.kind === "hello" ? "hello" : back.cause);
      expect(back.head).toEqual(head);
      expect(comparable(back.message)).toEqual(comparable(message));
    }),
    { numRuns: 500 },
  );
});

describe("garbage", () => {
  test("Random bytes are dropped, never thrown.", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeEnvelope(bytes, receiver).kind).toBe("dropped");
      }),
      { numRuns: 2_000 },
    );
  });

  test("A message with changed bytes is dropped or still makes sense; it never throws.", () => {
    fc.assert(
      fc.property(
        anyMessage,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1 }),
        (message, changes) => {
          const bytes = Uint8Array.from(bytesOf(message));
          for (const [position, value] of changes) bytes[position % bytes.length] = value;
          const back = decodeEnvelope(bytes, receiver);
          if (back.kind === "dropped") return;
          expect(back.head.cluster).toBe("c");
          if (back.kind === "hello") return;
          expect(back.head.to).toBe(TWO);
          expect(Number.isSafeInteger(back.message.term)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("A message that was cut short is dropped.", () => {
    const bytes = bytesOf(append());
    for (let length = 0; length < bytes.length; length += 1) {
      expect(decodeEnvelope(bytes.subarray(0, length), receiver).kind).toBe("dropped");
    }
  });

  test("Ten zero bytes and nothing at all are malformed.", () => {
    for (const bytes of [new Uint8Array(10), new Uint8Array(0)]) {
      expect(decodeEnvelope(bytes, receiver)).toEqual({ kind: "dropped", cause: "malformed" });
    }
  });

  test("A number over 2^53 is malformed.", () => {
    const bytes = bytesOf({ ...voteResult, term: Number.MAX_SAFE_INTEGER });
    const at = bytes.lastIndexOf(0x0f);
    const wider = Uint8Array.from(bytes);
    wider[at] = 0x1f;
    expect(decodeEnvelope(wider, receiver)).toEqual({ kind: "dropped", cause: "malformed" });
  });
});

describe("address", () => {
  test.each<[string, Partial<EnvelopeHead>, string]>([
    ["another cluster", { cluster: "d" }, "other-cluster"],
    ["another node", { to: THREE }, "other-node"],
    ["the disk that our name had before", { to: "n2#0000000c" }, "other-node"],
    ["our bare name", { to: "n2" }, "other-node"],
    ["an earlier life of ours", { toIncarnation: 6 }, "other-incarnation"],
    ["a later life of ours", { toIncarnation: 8 }, "other-incarnation"],
    ["no sender", { from: "" }, "senseless"],
    ["ourselves as sender", { from: TWO }, "senseless"],
    ["another disk of our name as sender", { from: "n2#0000000c" }, "senseless"],
    ["a sender that is no member id", { from: "n1" }, "senseless"],
    ["a store id too long", { from: "n1#0000000aa" }, "senseless"],
    ["a sender without incarnation", { fromIncarnation: 0 }, "senseless"],
    ["a message without sequence", { sequence: 0 }, "senseless"],
  ])("A message with %s in its envelope is dropped.", (_what, changed, cause) => {
    expect(decoded(voteRequest, changed)).toEqual({ kind: "dropped", cause });
  });

  test("Requests may leave our incarnation open, results may not.", () => {
    const open = { toIncarnation: 0 };
    expect(decoded(voteRequest, open).kind).toBe("decoded");
    expect(decoded(append(), open).kind).toBe("decoded");
    for (const request of [install(), chunkRequest, timeoutNow, readIndex]) {
      expect(decoded(request, open).kind).toBe("decoded");
    }
    for (const result of [voteResult, appendResult, readIndexResult]) {
      expect(isResult(result)).toBe(true);
      expect(decoded(result, open)).toEqual({ kind: "dropped", cause: "other-incarnation" });
    }
  });

  test("A message of a kind that only a later version knows is dropped by its own cause.", () => {
    const { message: _known, ...rest } = Envelope.decode(bytesOf(voteRequest));
    // Field 99, a message of two bytes.
    const unknown = Buffer.from([0x9a, 0x06, 0x02, 0x08, 0x01]);
    const bytes = Buffer.concat([
      Envelope.encode({ ...rest, message: undefined }).finish(),
      unknown,
    ]);
    const cause = "unknown-message";
    expect(decodeEnvelope(bytes, receiver)).toEqual({ kind: "dropped", cause });
  });

  test("A field that only a later version knows disturbs nothing.", () => {
    const bytes = Buffer.concat([bytesOf(voteRequest), Buffer.from([0x98, 0x06, 0x01])]);
    expect(decodeEnvelope(bytes, receiver)).toEqual({
      kind: "decoded",
      head,
      message: voteRequest,
    });
  });

  test("Another version of the format is dropped.", () => {
    const bytes = Envelope.encode({
      ...Envelope.decode(bytesOf(voteRequest)),
      version: 2,
    }).finish();
    expect(decodeEnvelope(bytes, receiver)).toEqual({ kind: "dropped", cause: "other-version" });
  });
});

describe("size", () => {
  test("A message that would not fit is not encoded.", () => {
    const large = append({ entries: [entry(11, 4, new Uint8Array(AMQP_MESSAGE_BYTES_MAX))] });
    expect(encodeEnvelope(head, large)).toEqual({ kind: "dropped", cause: "too-large" });
  });

  test("The largest command that a leader takes fits, with the longest names and traces.", () => {
    const traceparent = "x".repeat(512);
    const largest = { ...entry(11, 5, new Uint8Array(COMMAND_BYTES_MAX)), traceparent };
    const long = { cluster: "c".repeat(255), from: "n".repeat(255), to: "m".repeat(255) };
    const encoded = encodeEnvelope({ ...head, ...long }, append({ entries: [largest] }));
    expect(encoded.kind).toBe("encoded");
  });

  test("A message over the limit is not decoded.", () => {
    const bytes = new Uint8Array(AMQP_MESSAGE_BYTES_MAX + 1);
    bytes.set(bytesOf(voteRequest));
    expect(decodeEnvelope(bytes, receiver)).toEqual({ kind: "dropped", cause: "too-large" });
  });
});
