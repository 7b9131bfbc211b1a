// A chaos run: steady load on a whole stack, a fault every few seconds, then the audit.
//
// Guarantees: bounded in time and count; only loopback; the report says what was accepted,
// recorded, lost, refused as late, and how long each fault kept callers waiting.

import type { LedgerCounts } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import { connectJobs } from "../../transport/grpc/client.ts";
import type { LocalStack } from "../support/stack.ts";
import { type Audit, audit } from "./audit.ts";
import { type Fault, type FaultReport, inflict } from "./fault.ts";
import { Load, type LoadReport } from "./load.ts";

export interface ChaosOptions {
  readonly stack: LocalStack;
  readonly jobsPerSecond: number;
  readonly faults: readonly Fault[];
  /** Jobs that must be accepted between one fault and the next. */
  readonly jobsBetweenFaults: number;
  readonly report: (line: string) => void;
}

export interface ChaosReport {
  readonly load: Omit<LoadReport, "accepted">;
  readonly audit: Audit;
  readonly faults: readonly FaultReport[];
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { stack, report } = options;
  const connection = connectJobs({ address: stack.address });
  try {
    const load = new Load(connection.jobs, options.jobsPerSecond);
    const faults: FaultReport[] = [];
    for (const fault of options.faults) {
      await acceptedJobs(load, options.jobsBetweenFaults);
      const outcome = await inflict(fault, stack, connection, load);
      faults.push(outcome);
      report(
        `kill -9 ${fault} (${outcome.id}): next job accepted after ${outcome.acceptedAfterMs} ms`,
      );
    }
    await acceptedJobs(load, options.jobsBetweenFaults);
    const { accepted, ...totals } = await load.stop();
    report(`${accepted.length} jobs accepted; waiting for their results`);
    const verdict = await audit(connection, accepted);
    return { load: totals, audit: verdict, faults };
  } finally {
    connection.close();
  }
}

async function acceptedJobs(load: Load, count: number): Promise<void> {
  for (let accepted = 0; accepted < count; accepted += 1) await load.untilAccepted();
}

/** As lines for people. */
export function linesOf({ load, audit: verdict, faults }: ChaosReport): readonly string[] {
  const { counts } = verdict;
  const codes = Object.entries(load.codes).map(([code, count]) => `${code} ${count}`);
  return [
    `accepted        ${verdict.accepted}`,
    `recorded once   ${verdict.recordedOnce}`,
    `lost            ${verdict.lost.length}`,
    `wrong           ${verdict.wrong.length}`,
    `refused as late ${counts.refusedLate}`,
    `attempts        ${attemptsLine(counts)}`,
    `answers         ${codes.join(", ")}`,
    `faults          ${faults.length}, longest without an accepted job ${load.gapMsMax} ms`,
  ];
}

function attemptsLine({ attemptsStarted, attemptsLost }: LedgerCounts): string {
  return `${attemptsStarted} started, ${attemptsLost} lost with their worker`;
}

/** Why the run failed; empty when it did not. */
export function failuresOf({ load, audit: verdict }: ChaosReport): readonly string[] {
  const { counts } = verdict;
  const failures = [
    ...load.failures,
    ...verdict.lost.map((id) => `lost: ${id}`),
    ...verdict.wrong.map((what) => `wrong: ${what}`),
    ...verdict.confused,
  ];
  // The stack's own greeting is a job, too; anything else in the ledger nobody asked for.
  const ended = counts.succeeded + counts.failed + counts.cancelled;
  if (counts.recorded !== ended - counts.cancelled) {
    failures.push(`recorded ${counts.recorded} results for ${ended} ended jobs`);
  }
  return failures;
}
