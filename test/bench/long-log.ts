// A node's disk after many entries: the ledger that they made as a snapshot, and the tail of the
// log that a node keeps before it.
//
// Guarantees: every entry was applied to the ledger; each job was submitted, started and finished.

import { crc32 } from "node:zlib";
import type { CommandBody } from "../../ledger/command.ts";
import { apply, createLedger } from "../../ledger/ledger.ts";
import { createConfiguration } from "../../raft/configuration.ts";
import { type Entry, EntryKind } from "../../raft/message.ts";
import { encodeCommand } from "../../transport/command-codec.ts";
import { openSqliteLogStore } from "../../transport/disk/sqlite-log-store.ts";
import { RECEIPTS_MAX, TRAILING_ENTRIES_MAX } from "../../transport/limit.ts";
import { memberId } from "../../transport/member-id.ts";
import { encodeSnapshot } from "../../transport/snapshot-codec.ts";
import { REGISTRATION, submission } from "../support/driver-cluster.ts";

export interface LongLogOptions {
  readonly dataDir: string;
  readonly entries: number;
}

const TERM = 1;
const START_MS = 1_700_000_000_000;

export async function writeLongLog({
  dataDir,
  entries: count,
}: LongLogOptions): Promise<{ readonly snapshotBytes: number }> {
  const ledger = createLedger({ receiptsMax: RECEIPTS_MAX });
  const tail: Entry[] = [];
  for (let index = 1; index <= count; index += 1) {
    const command = { timeMs: START_MS + index, random: index, body: bodyAt(index) };
    apply(ledger, index, command);
    if (index <= count - TRAILING_ENTRIES_MAX) continue;
    const data = encodeCommand(command);
    tail.push({ term: TERM, index, kind: EntryKind.Command, data, traceparent: "" });
  }
  const identity = { cluster: "bench", nodeId: "n1" };
  const store = await openSqliteLogStore({ directory: dataDir, identity });
  try {
    const place = { index: count, term: TERM };
    const writer = store.openSnapshotWriter(place);
    let bytes = 0;
    let checksum = 0;
    for (const chunk of encodeSnapshot(ledger)) {
      const data = new Uint8Array(chunk);
      checksum = crc32(data, checksum);
      const offset = bytes;
      bytes += data.length;
      await writer.write(offset, data);
    }
    const configuration = createConfiguration([memberId("n1", store.recovered.storeId)]);
    const snapshot = { ...place, configuration, bytes, checksum };
    if (!(await writer.verify(snapshot))) throw new Error("the snapshot did not reach the disk");
    const offset = { index: (tail[0]?.index ?? count + 1) - 1, term: TERM };
    const hardState = { currentTerm: TERM, votedFor: null };
    await store.persist({ hardState, snapshot, compactTo: offset, entries: tail });
    return { snapshotBytes: bytes };
  } finally {
    await store.close();
  }
}

/** The kind first, then three entries a job: submitted, started, finished. */
function bodyAt(index: number): CommandBody {
  if (index === 1) return REGISTRATION;
  const submittedAt = index - ((index - 2) % 3);
  const jobId = `j-${submittedAt}`;
  const worker = "w1";
  switch (index - submittedAt) {
    case 0:
      return submission();
    case 1:
      return { kind: "start-attempt", jobId, worker, startId: `s-${index}`, leaseMs: 10_000 };
    default: {
      const result = Buffer.from('{"ok":true}', "utf8");
      const token = index - 1;
      return {
        kind: "finish-attempt",
        jobId,
        token,
        worker,
        outcome: "succeeded",
        result,
        error: null,
      };
    }
  }
}
