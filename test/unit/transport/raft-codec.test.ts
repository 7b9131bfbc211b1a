// Envelopes: what goes in comes out, and nothing else is ever handed up.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Envelope } from "../../../protos/gen/raft/v1/message.ts";
import { type AppendEntries, type Entry, EntryKind, type Message } from "../../../raft/message.ts";
import { AMQP_MESSAGE_BYTES_MAX, COMMAND_BYTES_MAX } from "../../../transport/limit.ts";
import {
  type Decoded,
  decodeEnvelope,
  type EnvelopeHead,
  encodeEnvelope,
} from "../../../transport/raft-codec.ts";

const receiver = { cluster: "c", nodeId: "n2", incarnation: 7 };
const head: EnvelopeHead = {
  cluster: "c",
  from: "n1",
  fromIncarnation: 3,
  to: "n2",
  toIncarnation: 7,
  sequence: 1,
};

function bytesOf(message: Message, changed: Partial<EnvelopeHead> = {}): Uint8Array {
  const encoded = encodeEnvelope({ ...head, ...changed }, message);
  if (encoded.kind !== "encoded") throw new Error(encoded.cause);
  return encoded.bytes;
}

function decoded(message: Message, changed: Partial<EnvelopeHead> = {}): Decoded {
  return decodeEnvelope(bytesOf(message, changed), receiver);
}

function entry(index: number, term: number, data: Uint8Array = Buffer.from("x")): Entry {
  return { index, term, kind: EntryKind.Command, data, traceparent: "" };
}

function append(changed: Partial<AppendEntries> = {}): AppendEntries {
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

const voteRequest: Message = {
  kind: "request-vote",
  term: 5,
  lastLogIndex: 12,
  lastLogTerm: 4,
  preVote: false,
};
const voteResult: Message = {
  kind: "request-vote-result",
  term: 5,
  voteGranted: true,
  preVote: false,
};
const appendResult: Message = {
  kind: "append-entries-result",
  term: 5,
  success: false,
  matchIndex: 0,
  conflictTerm: 3,
  conflictIndex: 8,
  rejectedIndex: 10,
  round: 2,
};

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
        traceparent: fc.string({ maxLength: 55 }),
      }),
      { maxLength: 20 },
    ),
  })
  .map(({ prevLogIndex, steps }) => {
    let last = prevLogIndex === 0 ? 0 : 1;
    const prevLogTerm = last;
    const entries = steps.map(({ rise, kind, data, traceparent }, at): Entry => {
      last = Math.max(1, last + rise);
      return { index: prevLogIndex + 1 + at, term: last, kind, data, traceparent };
    });
    return { prevLogIndex, prevLogTerm, entries, term: last + 1 };
  });
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ term, preVote: fc.boolean(), lastLogIndex: safe }).map((vote): Message => {
    return { kind: "request-vote", ...vote, lastLogTerm: vote.lastLogIndex === 0 ? 0 : vote.term };
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
);

/** Without the difference between Buffer and Uint8Array. */
function comparable(message: Message): unknown {
  if (message.kind !== "append-entries") return message;
  const entries = message.entries.map((one) => ({ ...one, data: [...one.data] }));
  return { ...message, entries };
}

test("Every sensible message comes back as it went.", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const back = decoded(message);
      if (back.kind !== "decoded") throw new Error(back.cause);
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
          expect(back.head).toMatchObject({ cluster: "c", to: "n2" });
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
    ["another node", { to: "n3" }, "other-node"],
    ["an earlier life of ours", { toIncarnation: 6 }, "other-incarnation"],
    ["a later life of ours", { toIncarnation: 8 }, "other-incarnation"],
    ["no sender", { from: "" }, "senseless"],
    ["ourselves", { from: "n2" }, "senseless"],
    ["a sender without incarnation", { fromIncarnation: 0 }, "senseless"],
    ["a message without sequence", { sequence: 0 }, "senseless"],
  ])("A message with %s in its envelope is dropped.", (_what, changed, cause) => {
    expect(decoded(voteRequest, changed)).toEqual({ kind: "dropped", cause });
  });

  test("Requests may leave our incarnation open, results may not.", () => {
    const open = { toIncarnation: 0 };
    expect(decoded(voteRequest, open).kind).toBe("decoded");
    expect(decoded(append(), open).kind).toBe("decoded");
    for (const result of [voteResult, appendResult]) {
      expect(decoded(result, open)).toEqual({ kind: "dropped", cause: "other-incarnation" });
    }
  });

  test("Another version of the format is dropped.", () => {
    const bytes = Envelope.encode({
      ...Envelope.decode(bytesOf(voteRequest)),
      version: 2,
    }).finish();
    expect(decodeEnvelope(bytes, receiver)).toEqual({ kind: "dropped", cause: "other-version" });
  });
});

describe("sense", () => {
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
