// The snapshot thread: restores the last snapshot, applies the entries behind it, writes the next.
//
// The node itself goes on meanwhile: a ledger that is being written down may not change, and to
// stop applying for as long as a large one takes would stop every caller. What is built here is
// what a restart would build, so it also proves that one is possible (I18).
//
// Guarantees: one answer to each question; memory is freed with the thread.
// Does not own: where bytes come from and go to (snapshot-maker.ts).

import assert from "node:assert/strict";
import { parentPort } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { apply, createLedger, hash, type Ledger } from "../../ledger/ledger.ts";
import { EntryKind } from "../../raft/message.ts";
import { decodeCommand } from "../command-codec.ts";
import { type PackedEntries, unpackEntries } from "../disk/packed.ts";
import { RECEIPTS_MAX } from "../limit.ts";
import { encodeSnapshot, SnapshotDecoder } from "../snapshot-codec.ts";
import type { FromBuilder, ToBuilder } from "./build-message.ts";

assert(parentPort !== null, "the snapshot thread is started by snapshot-maker.ts");
const port = parentPort;

let decoder: SnapshotDecoder | null = null;
let ledger: Ledger | null = null;
let chunks: Generator<Uint8Array, void, undefined> | null = null;
let bytes = 0;
let checksum = 0;

port.on("message", (question: ToBuilder) => {
  const answer = answerTo(question);
  // A copy of its own buffer: the encoder may go on writing in what it gave.
  const moved = answer.kind === "chunk" ? [answer.data.buffer as ArrayBuffer] : [];
  port.postMessage(answer, moved);
});

function answerTo(question: ToBuilder): FromBuilder {
  switch (question.kind) {
    case "base":
      return takeBase(question.data);
    case "entries":
      return takeEntries(question.packed);
    case "next":
      return nextChunk();
  }
}

function takeBase(data: Uint8Array): FromBuilder {
  decoder ??= new SnapshotDecoder();
  const outcome = decoder.push(data);
  return outcome === "ok" ? { kind: "taken" } : { kind: "failed", message: outcome.failure };
}

/** The ledger so far; a text if the base is none. */
function ledgerSoFar(): Ledger | string {
  if (ledger !== null) return ledger;
  if (decoder === null) {
    ledger = createLedger({ receiptsMax: RECEIPTS_MAX });
    return ledger;
  }
  const outcome = decoder.finish();
  if ("failure" in outcome) return outcome.failure;
  ledger = outcome.ok;
  return ledger;
}

function takeEntries(packed: PackedEntries): FromBuilder {
  const current = ledgerSoFar();
  if (typeof current === "string") return { kind: "failed", message: current };
  for (const { index, kind, data } of unpackEntries(packed)) {
    if (kind === EntryKind.Command) apply(current, index, decodeCommand(data));
  }
  return { kind: "taken" };
}

function nextChunk(): FromBuilder {
  const current = ledgerSoFar();
  if (typeof current === "string") return { kind: "failed", message: current };
  chunks ??= encodeSnapshot(current);
  const next = chunks.next();
  if (next.done === true) return { kind: "built", bytes, checksum, hash: hash(current) };
  const data = new Uint8Array(next.value);
  bytes += data.length;
  checksum = crc32(data, checksum);
  return { kind: "chunk", data };
}
