// `quorumq ledger verify --data-dir`: one node's files, checked while no node runs on them.
//
// Guarantees: the files are only read. Damage ends the command with 1 and is named on stderr;
// what only the caller can put right (no such folder, a node that runs on it) is a usage error.
// Does not own: the check (ledger-check.ts), nor the comparison of running nodes
// (cluster-command.ts).

import { type OfflineStore, openStoreReadOnly } from "../transport/disk/offline.ts";
import { StoreError } from "../transport/disk/store-error.ts";
import { ExitCode, UsageError } from "./exit-code.ts";
import { checkLedger } from "./ledger-check.ts";
import { printReport } from "./ledger-output.ts";
import type { Form } from "./print.ts";

/** `toIndex`: Infinity for all that is there. */
export function verifyFiles(directory: string, toIndex: number, form: Form): ExitCode {
  const store = open(directory);
  if (store === null) return ExitCode.Internal;
  try {
    const outcome = checkLedger(store, toIndex);
    if (outcome.kind === "sound") {
      const { identity, storeId } = store;
      printReport({ node: identity.nodeId, store: storeId, ...outcome.report }, form);
      return ExitCode.Ok;
    }
    if (outcome.kind === "damaged") {
      sayDamaged(directory, outcome.problem);
      return ExitCode.Internal;
    }
    const { firstIndex, lastIndex } = outcome;
    throw new UsageError(`--to: ${directory} gives entries ${firstIndex} to ${lastIndex}`);
  } finally {
    store.close();
  }
}

/** null: it is damaged, which has been said. */
function open(directory: string): OfflineStore | null {
  try {
    return openStoreReadOnly(directory);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    switch (error.code) {
      case "corrupt":
        sayDamaged(directory, error.message);
        return null;
      case "in-use":
        throw new UsageError(`a node runs on ${directory}: stop it first, or leave --data-dir out`);
      default:
        throw new UsageError(`${directory} cannot be read: ${error.message}`);
    }
  }
}

function sayDamaged(directory: string, problem: string): void {
  process.stderr.write(`quorumq: ${directory} is damaged: ${problem}\n`);
}
