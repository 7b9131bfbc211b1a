// A snapshot of the ledger as the bytes of a file: header, records, trailer.
//
// Guarantees: equal ledgers give equal bytes; a ledger that comes back equals the one that was
// written (ledger/restore.ts). Both ways go in pieces, so that a node can serve in between.
// Decoding is total: bytes that are cut, changed or of a version that says more than this one can
// keep give a failure, never a throw and never a part of a ledger.
// Does not own: checksums (raft's snapshot has one over all bytes) nor where the bytes are kept.

import {
  type Ledger,
  LedgerRestore,
  type RestoreFault,
  snapshotRecords,
} from "../ledger/ledger.ts";
import { SNAPSHOT_PIECE_BYTES } from "./limit.ts";
import { ProtoReader } from "./proto-reader.ts";
import { ProtoWriter } from "./proto-writer.ts";
import { type ReadFault, readRecord } from "./snapshot-read.ts";
import { writeRecord, writeTrailer } from "./snapshot-write.ts";

const MAGIC = Buffer.from("QQLEDGR", "latin1");
/** Raised when older versions must not read what is written. */
const VERSION = 2;
const HEADER = Buffer.concat([MAGIC, Buffer.of(VERSION)]);
/** A length is a varint of at most this: what is longer is no record of ours. */
const LENGTH_BYTES_MAX = 5;

export interface SnapshotFailure {
  readonly failure:
    | RestoreFault
    | ReadFault
    | "not-a-snapshot"
    | "other-version"
    /** The bytes end before the trailer, or within something behind it. */
    | "cut-short"
    /** The trailer counts other records than came. */
    | "record-count";
  /** How many records were read when it was seen, with the one it was seen in. */
  readonly record: number;
}

/** Pieces of about SNAPSHOT_PIECE_BYTES; nothing may be applied until the last was asked for. */
export function* encodeSnapshot(ledger: Ledger): Generator<Uint8Array, void, undefined> {
  const writer = new ProtoWriter(SNAPSHOT_PIECE_BYTES);
  writer.raw(HEADER);
  let records = 0;
  for (const record of snapshotRecords(ledger)) {
    writeRecord(writer, record);
    records += 1;
    if (writer.length >= SNAPSHOT_PIECE_BYTES) yield writer.take();
  }
  writeTrailer(writer, records);
  yield writer.take();
}

export class SnapshotDecoder {
  readonly #restoring = new LedgerRestore();
  #failure: SnapshotFailure | null = null;
  #records = 0;
  #hasHeader = false;
  #hasTrailer = false;
  /** What is not read yet, in the order it came, and how much of it there must be to go on. */
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;
  #wantedBytes = HEADER.length;

  /** The next bytes, cut anywhere; they may be changed afterwards. The first failure stays. */
  push(bytes: Uint8Array): "ok" | SnapshotFailure {
    if (this.#failure !== null) return this.#failure;
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes < this.#wantedBytes) {
      this.#pieces.push(new Uint8Array(bytes));
      return "ok";
    }
    const all = this.#pieces.length === 0 ? bytes : Buffer.concat([...this.#pieces, bytes]);
    const end = this.#read(Buffer.from(all.buffer, all.byteOffset, all.byteLength));
    this.#pieces = end === all.length ? [] : [new Uint8Array(all.subarray(end))];
    this.#sizeBytes = all.length - end;
    return this.#failure ?? "ok";
  }

  /** All bytes were pushed. Once. */
  finish(): { readonly ok: Ledger } | SnapshotFailure {
    if (this.#failure !== null) return this.#failure;
    if (!this.#hasTrailer || this.#sizeBytes > 0) return this.#fail("cut-short");
    return this.#restoring.finish();
  }

  /** Reads as many whole records as there are, and tells where they end. */
  #read(bytes: Buffer): number {
    let at = 0;
    if (!this.#hasHeader) {
      at = HEADER.length;
      this.#hasHeader = true;
      if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) this.#fail("not-a-snapshot");
      else if (bytes[MAGIC.length] !== VERSION) this.#fail("other-version");
    }
    while (this.#failure === null) {
      const place = placeOf(bytes, at);
      if (place === "malformed") {
        this.#fail(place);
        break;
      }
      this.#wantedBytes = place.end - at;
      if (place.end > bytes.length) break;
      this.#readRecord(new ProtoReader(bytes, place.start, place.end));
      at = place.end;
    }
    return at;
  }

  #readRecord(reader: ProtoReader): void {
    // Behind the trailer there is nothing.
    const record = this.#hasTrailer ? "malformed" : readRecord(reader);
    this.#records += 1;
    if (typeof record === "string") {
      this.#fail(record);
    } else if (record.kind === "trailer") {
      this.#hasTrailer = true;
      if (record.records !== this.#records - 1) this.#fail("record-count");
    } else {
      const added = this.#restoring.add(record);
      if (added !== "ok") this.#failure = added;
    }
  }

  #fail(failure: SnapshotFailure["failure"]): SnapshotFailure {
    this.#failure = { failure, record: this.#records };
    return this.#failure;
  }
}

/** Where the record that begins with its length at `at` stands; its end may be yet to come. */
function placeOf(
  bytes: Buffer,
  at: number,
): { readonly start: number; readonly end: number } | "malformed" {
  let [length, factor] = [0, 1];
  for (let next = at; next < at + LENGTH_BYTES_MAX; next++) {
    const byte = bytes[next];
    // The length itself is not all there: one byte more tells more.
    if (byte === undefined) return { start: next, end: next + 1 };
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) return { start: next + 1, end: next + 1 + length };
    factor *= 0x80;
  }
  return "malformed";
}
