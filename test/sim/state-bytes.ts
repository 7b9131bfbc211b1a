// A ledger as the bytes of a snapshot: the real file format (transport/snapshot-codec.ts).
//
// Guarantees: what was encoded decodes to an equal ledger; no bytes at all are an empty ledger, as
// the founders' snapshot has it. Does not own: chunks and checksums.

import { createLedger, type Ledger } from "../../ledger/ledger.ts";
import { encodeSnapshot, SnapshotDecoder } from "../../transport/snapshot-codec.ts";
import { Violation } from "./violation.ts";

export function encodeState(ledger: Ledger): Uint8Array {
  return Buffer.concat([...encodeSnapshot(ledger)]);
}

export function decodeState(bytes: Uint8Array, receiptsMax: number): Ledger {
  if (bytes.length === 0) return createLedger({ receiptsMax });
  const decoder = new SnapshotDecoder();
  decoder.push(bytes);
  const restored = decoder.finish();
  if ("ok" in restored) return restored.ok;
  throw new Violation("I19 snapshot-restores", `${restored.failure} at ${restored.record}`);
}
