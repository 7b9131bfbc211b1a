// How the log and comparisons of the ledger look on a terminal, and as JSON for programs.
//
// Guarantees: an entry is one line in both forms; its detail is JSON in both. Hashes are
// hexadecimal.

import type { LogEntry, VerifyLedgerResponse } from "../protos/gen/quorumq/v1/cluster_service.ts";
import type { LedgerReport } from "./ledger-check.ts";
import {
  coloured,
  type Form,
  printFields,
  printJson,
  printJsonLine,
  printLine,
  printTable,
} from "./print.ts";

/** Wide enough for the numbers of a log that has run for long. */
const INDEX_WIDTH = 9;
const KIND_WIDTH = 14;

export function printEntry({ index, term, kind, timeMs, detail }: LogEntry, form: Form): void {
  const time = timeMs === 0 ? null : new Date(timeMs).toISOString();
  if (form === "json") {
    printJsonLine({ index, term, kind, time, detail: JSON.parse(detail) as unknown });
    return;
  }
  const place = `${String(index).padStart(INDEX_WIDTH)}  ${String(term).padStart(4)}`;
  const when = (time ?? "").padEnd(24);
  printLine(
    `${place}  ${when}  ${kind.padEnd(KIND_WIDTH)}  ${detail === "{}" ? "" : detail}`.trimEnd(),
  );
}

/** True if every node answered, with the same hash. */
export function printComparison(compared: VerifyLedgerResponse, form: Form): boolean {
  const wanted = compared.hash.toString("hex");
  const nodes = compared.nodes.map(({ nodeId, hash }) => {
    const own = hash.toString("hex");
    const verdict = own === "" ? "silent" : own === wanted ? "same" : "different";
    return { nodeId, hash: own, verdict };
  });
  const isSame = nodes.length > 0 && nodes.every(({ verdict }) => verdict === "same");
  if (form === "json") {
    printJson({ index: compared.index, hash: wanted, isSame, nodes });
    return isSame;
  }
  printFields({ index: String(compared.index), hash: wanted });
  printLine("");
  printTable(
    ["NODE", "HASH", "VERDICT"],
    nodes.map(({ nodeId, hash, verdict }) => [
      nodeId,
      hash === "" ? "-" : hash,
      verdict === "same" ? verdict : coloured("red", verdict),
    ]),
  );
  return isSame;
}

export interface FilesReport extends LedgerReport {
  readonly node: string;
  readonly store: string;
}

export function printReport(report: FilesReport, form: Form): void {
  if (form === "json") {
    printJson(report);
    return;
  }
  const { unreadable } = report;
  printFields({
    node: `${report.node}, store ${report.store}`,
    index: String(report.index),
    hash: report.hash,
    snapshot: report.snapshotIndex === null ? "none" : `up to ${report.snapshotIndex}`,
    entries: `${report.entries} in the log, ${report.applied} applied`,
    unreadable: unreadable === 0 ? "" : coloured("yellow", `${unreadable} of another version`),
    jobs: String(report.jobs),
  });
}
