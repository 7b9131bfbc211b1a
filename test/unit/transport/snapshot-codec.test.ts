// A ledger as a file and back: the same ledger, whatever the borders of the pieces, and no ledger
// at all from a file that is cut, changed or newer.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { apply, createLedger, hash, type Ledger, snapshotRecords } from "../../../ledger/ledger.ts";
import { SnapshotRecord as WireRecord } from "../../../protos/gen/ledger/v1/snapshot.ts";
import { decodeCommand, encodeCommand } from "../../../transport/command-codec.ts";
import { SNAPSHOT_PIECE_BYTES } from "../../../transport/limit.ts";
import {
  encodeSnapshot,
  SnapshotDecoder,
  type SnapshotFailure,
} from "../../../transport/snapshot-codec.ts";
import { assertRuns } from "../../support/bounded-shrink.ts";
import { imageOf } from "../ledger/image.ts";
import { useRoughly } from "../ledger/rough-use.ts";
import { Run } from "../ledger/run.ts";
import { intent } from "../ledger/workload.ts";
import { kindOf, World } from "../ledger/world.ts";
import { framed, framesOf, HEADER, wireOf, withField } from "./snapshot-wire.ts";

const intents = fc.array(intent, { minLength: 30, maxLength: 120, size: "max" });

function encoded(ledger: Ledger): Buffer {
  return Buffer.concat([...encodeSnapshot(ledger)]);
}

function decode(file: Uint8Array, pieceBytes = file.length): { ok: Ledger } | SnapshotFailure {
  const decoder = new SnapshotDecoder();
  for (let at = 0; at < file.length; at += pieceBytes) {
    const piece = new Uint8Array(file.subarray(at, at + pieceBytes));
    decoder.push(piece);
    // Whoever gave the bytes may use them again.
    piece.fill(0xff);
  }
  return decoder.finish();
}

function decoded(file: Uint8Array, pieceBytes?: number): Ledger {
  const result = decode(file, pieceBytes);
  if ("failure" in result) throw new Error(JSON.stringify(result));
  return result.ok;
}

function failureOf(file: Uint8Array): string {
  const result = decode(file);
  return "failure" in result ? result.failure : "none";
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

interface Change {
  readonly at: number;
  readonly what: "flip" | "set" | "cut" | "insert";
  readonly by: number;
}

function changedBy(file: Buffer, { at, what, by }: Change): Buffer {
  const place = at % file.length;
  const [before, after] = [file.subarray(0, place), file.subarray(place)];
  const first = after[0] ?? 0;
  switch (what) {
    case "flip":
      return Buffer.concat([before, Buffer.of(first ^ (1 << (by % 8))), after.subarray(1)]);
    case "set":
      return Buffer.concat([before, Buffer.of(by), after.subarray(1)]);
    case "cut":
      return Buffer.concat([before, after.subarray(1 + (by % 40))]);
    case "insert":
      return Buffer.concat([before, Buffer.of(by), after]);
  }
}

/** Something of everything, in few bytes. */
function worked(): World {
  const world = new World([kindOf({ attemptTimeoutMs: 60_000, lockTemplates: ["to:{to}"] })], 2);
  const named = { idempotencyKey: "k", traceparent: "00-1-2-01", priority: -3, maxAttempts: 9 };
  const backoff = { initialMs: 0, multiplier: 1.5, maxMs: 7, jitter: 0.5 };
  const done = world.add({ ...named, backoff, attemptTimeoutMs: 5, lockKeys: ["z"] });
  world.succeed(done, world.begin(done), "ja, grün");
  for (const token of [1, 2, 3]) world.succeed(done, token);
  const [held = "", first = "", second = ""] = [1, 2, 3].map(() => world.add());
  const token = world.begin(held);
  world.start(first);
  world.start(second);
  world.fail(held, token, "failed", false);
  const cancelled = world.add({ lockKeys: ["b"] });
  world.begin(cancelled);
  world.cancel(cancelled, "why");
  world.begin(world.add({ lockKeys: ["c"] }));
  world.add({ runAtMs: world.nowMs + 5, lockKeys: ["d"] });
  world.add({ lockKeys: ["e"], payload: new Uint8Array() });
  return world;
}

describe("a ledger that went through a file", () => {
  test("is the same, and so is its file", () => {
    assertRuns(
      fc.property(intents, fc.integer({ min: 1, max: 2_000 }), (work, pieceBytes) => {
        const { ledger } = new Run(work);
        const file = encoded(ledger);
        const copy = decoded(file, pieceBytes);
        expect(imageOf(copy)).toEqual(imageOf(ledger));
        expect(hash(copy)).toBe(hash(ledger));
        expect(encoded(copy).equals(file)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test("goes on as the one whose log came as bytes", () => {
    assertRuns(
      fc.property(intents, fc.nat(), (work, at) => {
        const log = new Run(work).log.map((command) => decodeCommand(encodeCommand(command)));
        const split = at % log.length;
        const original = createLedger({ receiptsMax: 3 });
        let copy = original;
        log.forEach((command, position) => {
          if (position === split) copy = decoded(encoded(original));
          apply(original, position + 1, command);
          if (copy !== original) apply(copy, position + 1, command);
        });
        expect(imageOf(copy)).toEqual(imageOf(original));
        expect(encoded(copy).equals(encoded(original))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("keeps every text to the last character", () => {
    const texts = [
      "\ufeffbom",
      "\ufeff\ufeff",
      "naïve",
      "日本語",
      "👩‍👩‍👧",
      "\u0000",
      "é".repeat(64),
      "x".repeat(200),
    ];
    const world = new World(texts.map((text) => kindOf({ kind: text, queue: text })));
    for (const text of texts) {
      const id = world.add({ kind: text, lockKeys: texts, idempotencyKey: text });
      world.start(id, text, text);
      world.cancel(id, text);
    }
    const copy = decoded(encoded(world.ledger));
    expect(imageOf(copy)).toEqual(imageOf(world.ledger));
  });

  test("of a large payload is one large record in a piece of its own", () => {
    const world = new World();
    const id = world.add({ payload: new Uint8Array(3 * SNAPSHOT_PIECE_BYTES).fill(7) });
    world.add();
    const pieces = [...encodeSnapshot(world.ledger)];
    expect(pieces).toHaveLength(2);
    const copy = decoded(Buffer.concat(pieces), 10_000);
    expect(hash(copy)).toBe(hash(world.ledger));
    // A view of the piece would keep all of it in memory.
    expect(copy.jobs.get(id)?.payload.buffer.byteLength).toBe(3 * SNAPSHOT_PIECE_BYTES);
  });

  test("comes in pieces of about one size, with work in between", () => {
    const world = new World();
    for (let i = 0; i < 50; i++) world.add({ payload: new Uint8Array(20_000) });
    const sizes = [...encodeSnapshot(world.ledger)].map(({ length }) => length);
    expect(sizes).toHaveLength(4);
    for (const size of sizes.slice(0, -1)) {
      expect(size).toBeGreaterThanOrEqual(SNAPSHOT_PIECE_BYTES);
      expect(size).toBeLessThan(SNAPSHOT_PIECE_BYTES + 21_000);
    }
    const pieces = encodeSnapshot(world.ledger);
    pieces.next();
    world.tick();
    expect(() => pieces.next()).toThrow("nothing is applied while a snapshot is taken");
  });
});

describe("the file", () => {
  test("is what the generated code writes, record by record", () => {
    assertRuns(
      fc.property(intents, (work) => {
        for (const { ledger } of [new Run(work), worked()]) {
          const records = [...snapshotRecords(ledger)].map(wireOf);
          const trailer = { $case: "trailer" as const, value: { records: records.length } };
          const theirs = [...records, { record: trailer }];
          expect(framesOf(encoded(ledger)).map(hex)).toEqual(
            theirs.map((record) => hex(WireRecord.encode(record).finish())),
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  test("of an unknown magic or version is refused", () => {
    const file = encoded(worked().ledger);
    expect(failureOf(Buffer.concat([Buffer.from("X"), file.subarray(1)]))).toBe("not-a-snapshot");
    expect(failureOf(Buffer.from(file).fill(99, 7, 8))).toBe("other-version");
    expect(failureOf(new Uint8Array())).toBe("cut-short");
  });

  test("with a record, a state or an outcome of a newer version is refused", () => {
    const frames = framesOf(encoded(worked().ledger));
    const [job] = frames.filter((frame) => frame[0] === 0x1a);
    if (job === undefined) throw new Error("there are jobs");
    const newer = (record: Buffer) => framed([...frames.slice(0, -1), record]);
    expect(failureOf(newer(Buffer.of(0xfa, 0x01, 0)))).toBe("unknown-record");
    // A field beside the record is a part of it that this version has no place for.
    expect(failureOf(newer(Buffer.concat([job, Buffer.of(0x32, 0)])))).toBe("unknown-record");
    const wire = WireRecord.decode(job);
    if (wire.record?.$case !== "job") throw new Error("it is a job");
    wire.record.value.state = 7 as never;
    expect(failureOf(newer(Buffer.from(WireRecord.encode(wire).finish())))).toBe("unknown-name");
    wire.record.value.state = 0;
    expect(failureOf(newer(Buffer.from(WireRecord.encode(wire).finish())))).toBe("malformed");
  });

  test("with a field of a newer version in a message is taken without it", () => {
    const { ledger } = worked();
    const frames = framesOf(encoded(ledger)).map((frame) => withField(frame, 100));
    expect(imageOf(decoded(framed(frames)))).toEqual(imageOf(ledger));
  });

  test("with records missing, doubled or behind the trailer is refused", () => {
    const frames = framesOf(encoded(worked().ledger));
    expect(failureOf(framed(frames))).toBe("none");
    const trailer = frames.length - 1;
    frames.forEach((frame, at) => {
      const without = failureOf(framed(frames.filter((_, other) => other !== at)));
      expect(without).not.toBe("none");
      if (at === trailer) expect(without).toBe("cut-short");
      expect(failureOf(framed(frames.toSpliced(at, 0, frame)))).not.toBe("none");
      expect(failureOf(framed([...frames, frame]))).toBe("malformed");
    });
    expect(failureOf(Buffer.concat([framed(frames), Buffer.of(9)]))).toBe("cut-short");
    const counted = { $case: "trailer" as const, value: { records: trailer - 1 } };
    const miscounted = Buffer.from(WireRecord.encode({ record: counted }).finish());
    expect(failureOf(framed([...frames.slice(0, -1), miscounted]))).toBe("record-count");
  });

  test("that is cut anywhere gives no ledger", () => {
    const file = encoded(worked().ledger);
    for (let length = 0; length < file.length; length++) {
      const failure = failureOf(file.subarray(0, length));
      expect(failure).toBe("cut-short");
    }
  });

  test("that failed once fails for good", () => {
    const decoder = new SnapshotDecoder();
    const failure = { failure: "not-a-snapshot", record: 0 };
    expect(decoder.push(Buffer.from("nothing of ours"))).toEqual(failure);
    expect(decoder.push(encoded(worked().ledger))).toEqual(failure);
    expect(decoder.finish()).toEqual(failure);
  });

  test("with bytes flipped, cut out or put in gives a sound ledger or none, and never throws", () => {
    const reached = { refused: 0, taken: 0 };
    const change: fc.Arbitrary<Change> = fc.record({
      at: fc.nat(),
      what: fc.constantFrom<Change["what"]>("flip", "set", "cut", "insert"),
      by: fc.integer({ min: 0, max: 255 }),
    });
    const changes = fc.array(change, { minLength: 1, maxLength: 3 });
    assertRuns(
      fc.property(intents, fc.array(changes, { minLength: 40 }), intents, (work, tries, more) => {
        const file = encoded(new Run(work.slice(0, 40)).ledger);
        for (const one of tries) {
          const result = decode(one.reduce(changedBy, file), 4_096);
          if ("failure" in result) {
            reached.refused += 1;
          } else {
            reached.taken += 1;
            useRoughly(result.ok, more.slice(0, 15));
          }
        }
      }),
      { numRuns: 60 },
    );
    for (const count of Object.values(reached)) expect(count).toBeGreaterThan(100);
  });

  test("of anything at all never throws", () => {
    const anything = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(anything, fc.boolean(), (drawn, hasHeader) => {
        const file = hasHeader ? Buffer.concat([HEADER, drawn]) : drawn;
        expect(failureOf(file)).not.toBe("none");
      }),
      { numRuns: 2_000 },
    );
  });
});
