// A lock outside jobs in a snapshot: protos/ledger/v1/lock.proto's SnapshotLock, there and back.
//
// Guarantees: as snapshot-write.ts and snapshot-read.ts.

import type { KeptLock } from "../ledger/kept-lock.ts";
import type { LockEnd, LockState } from "../ledger/lock.ts";
import { LOCK_END_TO_WIRE, LOCK_STATE_TO_WIRE } from "./lock-codec.ts";
import type { ProtoReader } from "./proto-reader.ts";
import type { ProtoWriter } from "./proto-writer.ts";
import { namesOf, type Writable } from "./snapshot-fields.ts";

const STATES = namesOf<LockState>(LOCK_STATE_TO_WIRE);
const ENDS = namesOf<LockEnd>(LOCK_END_TO_WIRE);

export function writeLock(writer: ProtoWriter, lock: KeptLock): void {
  writer.uint(1, lock.number);
  writer.texts(2, lock.lockKeys);
  writer.text(3, lock.owner);
  writer.text(4, lock.requestId);
  writer.uint(5, lock.ttlMs);
  writer.uint(6, LOCK_STATE_TO_WIRE[lock.state]);
  if (lock.end !== null) writer.uint(7, LOCK_END_TO_WIRE[lock.end]);
  writer.uint(8, lock.token);
  writer.bool(9, lock.isTaken);
  writer.uint(10, lock.expiryMs);
  writer.uint(11, lock.waitUntilMs);
  writer.uint(12, lock.place);
  writer.text(13, lock.parkedFor);
}

export function readLock(from: ProtoReader): KeptLock {
  const lockKeys: string[] = [];
  const lock: Writable<KeptLock> = {
    number: 0,
    lockKeys,
    owner: "",
    requestId: "",
    ttlMs: 0,
    state: "over",
    end: null,
    token: 0,
    isTaken: false,
    expiryMs: 0,
    waitUntilMs: 0,
    place: 0,
    parkedFor: "",
  };
  let state: LockState | null = null;
  for (let field = from.next(); field !== 0; field = from.next()) {
    if (field === 1) lock.number = from.uint();
    else if (field === 2) lockKeys.push(from.text());
    else if (field === 3) lock.owner = from.text();
    else if (field === 4) lock.requestId = from.text();
    else if (field === 5) lock.ttlMs = from.uint();
    else if (field === 6) state = from.name(STATES);
    else if (field === 7) lock.end = from.name(ENDS);
    else if (field === 8) lock.token = from.uint();
    else if (field === 9) lock.isTaken = from.bool();
    else if (field === 10) lock.expiryMs = from.uint();
    else if (field === 11) lock.waitUntilMs = from.uint();
    else if (field === 12) lock.place = from.uint();
    else if (field === 13) lock.parkedFor = from.text();
    else from.skip();
  }
  // The default of an enum is no name: it has to be there.
  if (state === null) from.fail("malformed");
  else lock.state = state;
  return lock;
}
