// A payload or result as the ledger keeps it: short text as a string, everything else as bytes.
//
// A Uint8Array costs about 250 bytes beside its own; a string costs 16, and most payloads are JSON
// of a few dozen bytes. Guarantees: what comes out are the bytes that went in, whatever they were:
// those that are no UTF-8 are kept as they are. Nothing is shared with what was given.

/** Beyond, what a Uint8Array costs is little beside the bytes, and other than ASCII may double. */
const TEXT_BYTES_MAX = 1_024;

export type PackedBytes = string | Uint8Array;

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

export function packBytes(bytes: Uint8Array): PackedBytes {
  if (bytes.length > TEXT_BYTES_MAX) return new Uint8Array(bytes);
  try {
    return DECODER.decode(bytes);
  } catch {
    // Its only way to say that it is no UTF-8.
    return new Uint8Array(bytes);
  }
}

/** Not to be changed: it may be what is kept. */
export function unpackBytes(packed: PackedBytes): Uint8Array {
  return typeof packed === "string" ? ENCODER.encode(packed) : packed;
}
