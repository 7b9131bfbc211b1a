// A chaos run for people and for programs, and why it failed.

import type { LedgerCounts } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { ChaosReport, FaultReport } from "./chaos.ts";

const HEADER = ["", "times", "hit", "max", "healed", "max", "whole", "max", "gap"];
const LEGEND = [
  "Milliseconds, median and maximum. hit: from the strike to the next job submitted and accepted;",
  "healed: the same from the moment its cause was gone; whole: from then until all members vote,",
  "are in contact and caught up; gap: the longest time without an accepted job around the fault.",
];

/** As lines for people. */
export function linesOf(report: ChaosReport): readonly string[] {
  const { load, audit, faults } = report;
  const { counts, ledgers, history } = audit;
  const codes = Object.entries(load.codes).map(([code, count]) => `${code} ${count}`);
  const { diverged } = ledgers;
  const isEqual = diverged.length + ledgers.silent.length === 0;
  return [
    ...aligned([
      HEADER,
      ...Map.groupBy(faults, ({ fault }) => fault)
        .values()
        .map(cellsOf),
    ]),
    ...LEGEND,
    "",
    `seed            ${report.seed}, took ${Math.round(report.tookMs / 1_000)} s`,
    `accepted        ${audit.accepted}`,
    `recorded once   ${audit.recordedOnce}, and ${audit.cancelled} cancelled as asked`,
    `lost            ${audit.lost.length}`,
    `recorded twice  ${audit.recordedTwice.length}`,
    `wrong           ${audit.wrong.length}`,
    `refused as late ${counts.refusedLate}`,
    `attempts        ${attemptsLine(counts)}`,
    `diverged        ${diverged.length} of ${ledgers.nodes} ledgers at entry ${ledgers.index}`,
    `                ${isEqual ? `all ${ledgers.hash}` : JSON.stringify(ledgers)}`,
    `history         ${history.kind}: ${history.operations} operations on ${history.parts} jobs`,
    `answers         ${codes.join(", ")}`,
    `faults          ${faults.length}, longest without an accepted job ${load.gapMsMax} ms`,
  ];
}

function attemptsLine({ attemptsStarted, attemptsLost }: LedgerCounts): string {
  return `${attemptsStarted} started, ${attemptsLost} lost with their worker`;
}

/** Why the run failed; empty when it did not. */
export function failuresOf({ load, audit, failures }: ChaosReport): readonly string[] {
  const { counts, ledgers, history } = audit;
  const found = [
    ...failures,
    ...load.failures,
    ...audit.lost.map((id) => `lost: ${id}`),
    ...audit.recordedTwice.map((what) => `recorded twice: ${what}`),
    ...audit.wrong.map((what) => `wrong: ${what}`),
    ...audit.confused,
    ...ledgers.diverged.map((id) => `${id} has another ledger: ${JSON.stringify(ledgers)}`),
    ...ledgers.silent.map((id) => `${id} did not say what its ledger is`),
  ];
  if (history.kind !== "linearizable") found.push(`history ${history.kind}:\n${history.text}`);
  const ended = counts.succeeded + counts.failed + counts.cancelled;
  if (counts.recorded !== ended - counts.cancelled) {
    found.push(`recorded ${counts.recorded} results for ${ended} ended jobs`);
  }
  return found;
}

function cellsOf(reports: readonly FaultReport[]): string[] {
  const pairOf = (pick: (report: FaultReport) => number): string[] => {
    const values = reports.map(pick).sort((a, b) => a - b);
    const median = values[Math.floor((values.length - 1) / 2)] ?? 0;
    return [String(median), String(values.at(-1) ?? 0)];
  };
  return [
    ...[reports[0]?.fault ?? "", String(reports.length)],
    ...pairOf(({ acceptedAfterMs }) => acceptedAfterMs),
    ...pairOf(({ acceptedAfterHealMs }) => acceptedAfterHealMs),
    ...pairOf(({ wholeAfterMs }) => wholeAfterMs),
    String(Math.max(...reports.map(({ gapMs }) => gapMs))),
  ];
}

/** The first column to the left, the numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADER.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  "),
  );
}
