// Tells a torn end of SQLite's write-ahead log from damage in the middle of it.
//
// SQLite reads a WAL up to the first frame whose checksum fails and takes that for the end: right
// after a power cut, wrong after a flipped bit, when it silently forgets acknowledged writes that
// stand behind. With synchronous=FULL one commit is fsynced before the next begins, so a power cut
// can tear one transaction only, which has one commit frame. Two or more commit frames at or behind
// the first bad one are damage: the node must not start on it (raft-lessons L31).
//
// Guarantees: reads only. Format: https://www.sqlite.org/fileformat2.html#walformat
// Does not own: damage to the last transaction alone, which looks like a torn one.

import { readIfThere } from "./file-system.ts";
import { StoreError } from "./store-error.ts";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The lowest bit says in which byte order checksums read their words. */
const MAGIC = 0x377f0682;
const COMMITS_TORN_MAX = 1;

type Checksum = readonly [number, number];

/** Throws StoreError "corrupt". A missing or empty log is sound. */
export function checkWal(path: string): void {
  const bytes = readIfThere(path) ?? new Uint8Array(0);
  const wal = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Frames are written after the header is durable: without frames nothing is lost.
  if (wal.byteLength <= HEADER_BYTES) return;
  const isLittleEndian = wal.getUint32(0) === MAGIC;
  const header = checksum(wal, 0, FRAME_HEADER_BYTES, [0, 0], isLittleEndian);
  if ((wal.getUint32(0) & ~1) >>> 0 !== MAGIC || !isAt(wal, 24, header)) {
    throw new StoreError("corrupt", `${path}: the header is damaged`);
  }
  const frameBytes = FRAME_HEADER_BYTES + wal.getUint32(8);
  const bad = firstBadFrame(wal, frameBytes, header, isLittleEndian);
  const commits = commitsFrom(wal, bad, frameBytes);
  if (commits <= COMMITS_TORN_MAX) return;
  throw new StoreError(
    "corrupt",
    `${path}: damaged at byte ${bad}, with ${commits} commits at or behind it`,
  );
}

/** Where the checksums, each of which covers all frames before it, stop to fit. */
function firstBadFrame(
  wal: DataView,
  frameBytes: number,
  header: Checksum,
  isLittleEndian: boolean,
): number {
  let sum = header;
  let at = HEADER_BYTES;
  for (; at + frameBytes <= wal.byteLength; at += frameBytes) {
    if (!isOfThisLog(wal, at)) return at;
    sum = checksum(wal, at, 8, sum, isLittleEndian);
    const page = at + FRAME_HEADER_BYTES;
    sum = checksum(wal, page, frameBytes - FRAME_HEADER_BYTES, sum, isLittleEndian);
    if (!isAt(wal, at + 16, sum)) return at;
  }
  return at;
}

/** Frames of an earlier use of the file carry other salts: they do not count. */
function commitsFrom(wal: DataView, from: number, frameBytes: number): number {
  let commits = 0;
  for (let at = from; at + frameBytes <= wal.byteLength; at += frameBytes) {
    if (isOfThisLog(wal, at) && wal.getUint32(at + 4) !== 0) commits += 1;
  }
  return commits;
}

function isOfThisLog(wal: DataView, at: number): boolean {
  return isAt(wal, at + 8, [wal.getUint32(16), wal.getUint32(20)]);
}

function isAt(wal: DataView, at: number, [first, second]: Checksum): boolean {
  return wal.getUint32(at) === first && wal.getUint32(at + 4) === second;
}

function checksum(
  wal: DataView,
  from: number,
  bytes: number,
  [first, second]: Checksum,
  isLittleEndian: boolean,
): Checksum {
  let s0 = first;
  let s1 = second;
  for (let at = from; at < from + bytes; at += 8) {
    s0 = (s0 + wal.getUint32(at, isLittleEndian) + s1) >>> 0;
    s1 = (s1 + wal.getUint32(at + 4, isLittleEndian) + s0) >>> 0;
  }
  return [s0, s1];
}
