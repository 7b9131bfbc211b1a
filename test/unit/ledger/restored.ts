// A ledger by way of its records.

import {
  type Ledger,
  LedgerRestore,
  type RestoreFailure,
  type SnapshotRecord,
  snapshotRecords,
} from "../../../ledger/ledger.ts";

export function restore(
  records: Iterable<SnapshotRecord>,
): { readonly ok: Ledger } | RestoreFailure {
  const restoring = new LedgerRestore();
  for (const record of records) restoring.add(record);
  return restoring.finish();
}

export function restored(ledger: Ledger): Ledger {
  const result = restore(snapshotRecords(ledger));
  if ("failure" in result) throw new Error(JSON.stringify(result));
  return result.ok;
}
