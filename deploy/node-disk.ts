// A node's disk at its start: the store, and the ledger that its snapshot holds.
//
// Guarantees: a damaged store is never served from and never deleted: it is set aside, and the node
// begins as a blank one whose disk has another id. It cannot vote for what it has forgotten, nor
// help to found a new cluster; the quorum takes it in again and sends it a snapshot (raft-lessons
// L31, L36). Anything else that is wrong with the disk ends the start, also a snapshot that is
// whole and that this version cannot read.
// Does not own: what is damage (transport/disk).

import { createLedger, type Ledger } from "../ledger/ledger.ts";
import { setAsideStore } from "../transport/disk/set-aside.ts";
import { openSqliteLogStore } from "../transport/disk/sqlite-log-store.ts";
import { StoreError } from "../transport/disk/store-error.ts";
import { RECEIPTS_MAX } from "../transport/limit.ts";
import type { LogStore } from "../transport/log-store.ts";
import { loadLedger } from "../transport/snapshot/ledger-load.ts";
import type { Logger } from "../transport/telemetry/logger.ts";

export interface NodeDiskOptions {
  readonly dataDir: string;
  readonly cluster: string;
  readonly nodeId: string;
  readonly logger: Logger;
}

export interface NodeDisk {
  readonly store: LogStore;
  readonly ledger: Ledger;
}

/** Rejects with StoreError, but not for damage. */
export async function openNodeDisk(options: NodeDiskOptions): Promise<NodeDisk> {
  try {
    return await open(options, false);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "corrupt") throw error;
    const place = setAsideStore(options.dataDir);
    options.logger.error(
      { err: error, set_aside: place },
      "this node's disk is damaged: its files are set aside and it asks the others to be rebuilt",
    );
    return await open(options, true);
  }
}

async function open(options: NodeDiskOptions, isReplacement: boolean): Promise<NodeDisk> {
  const { dataDir, cluster, nodeId, logger } = options;
  const startedMs = performance.now();
  const identity = { cluster, nodeId };
  const store = await openSqliteLogStore({ directory: dataDir, identity, isReplacement });
  const { incarnation, entries, snapshot, storeId } = store.recovered;
  try {
    const ledger = await ledgerOf(store);
    const recovered = {
      incarnation,
      store_id: storeId,
      entry_count: entries.length,
      snapshot_index: snapshot?.index ?? 0,
      took_ms: Math.round(performance.now() - startedMs),
    };
    logger.info(recovered, "the log is recovered");
    return { store, ledger };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function ledgerOf(store: LogStore): Promise<Ledger> {
  const { snapshot } = store.recovered;
  if (snapshot === null || snapshot.bytes === 0) return createLedger({ receiptsMax: RECEIPTS_MAX });
  const loaded = await loadLedger(store, snapshot);
  if ("ok" in loaded) return loaded.ok;
  // Its checksum was right, so this is no damage. Were it set aside as such, a version that cannot
  // read what another one wrote would take the disks of all nodes away, one after the other.
  throw new StoreError("other-schema", `the snapshot at ${snapshot.index}: ${loaded.failure}`);
}
