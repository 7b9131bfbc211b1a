// What running attempts tell of themselves: progress and log lines.
//
// Guarantees: only the current attempt is heard; any other leaves a receipt for each sort of write,
// once, and changes nothing else. Reports of an attempt are numbered, so one that arrives twice is
// heard once, and an older one never replaces a newer. However much is told, a job keeps the latest
// progress and the last LOG_LINES_MAX lines; all lines are counted.
// Does not own: how large progress and lines may be (whoever proposes).

import type { AttemptReport, CommandBody } from "./command.ts";
import { fencedOut, isCurrent, liveAttempt, refuseOnce } from "./fencing.ts";
import { JobState } from "./job.ts";
import { plusMs, wholeMs } from "./milliseconds.ts";
import type { JobRecord } from "./record.ts";
import type { Fenced, Result } from "./result.ts";
import type { Ledger, Turn } from "./state.ts";
import { record } from "./tell.ts";

/** Lines kept a job. */
export const LOG_LINES_MAX = 100;

export function reportProgress(
  turn: Turn,
  { worker, reports }: Extract<CommandBody, { kind: "report-progress" }>,
): Result {
  const { ledger } = turn;
  const stale: Fenced[] = [];
  const told = new Set<JobRecord>();
  for (const report of reports) {
    const { jobId, token } = report;
    const job = ledger.jobs.get(jobId);
    if (job === undefined) {
      // As a renewal is told: there is nothing to go on for.
      stale.push({ kind: "fenced", jobId, token, currentToken: 0, state: JobState.Cancelled });
    } else if (!wasHeard(job, report)) {
      if (isCurrent(job, token)) {
        hear(ledger, job, report);
        told.add(job);
      } else {
        stale.push(refuse(ledger, job, worker, report));
      }
    }
  }
  for (const job of told) record(turn, job, "progress");
  return { kind: "reported", stale };
}

function wasHeard(job: JobRecord, { token, sequence }: AttemptReport): boolean {
  const attempt = job.attempts.findLast((one) => one.token === token);
  return attempt !== undefined && wholeMs(sequence) <= attempt.reports;
}

function hear(ledger: Ledger, job: JobRecord, report: AttemptReport): void {
  const { clockMs } = ledger;
  const attempt = liveAttempt(job);
  attempt.reports = wholeMs(report.sequence);
  if (report.progress !== null) {
    job.progress = report.progress;
    job.progressMs = clockMs;
  }
  if (report.lines.length > 0) {
    const { number } = attempt;
    const lines = report.lines.map((text) => ({ attempt: number, timeMs: clockMs, text }));
    job.logLines = [...job.logLines, ...lines].slice(-LOG_LINES_MAX);
  }
  // Whole also when a worker counts nonsense: a snapshot keeps it.
  job.logLineCount = plusMs(
    job.logLineCount,
    Math.max(wholeMs(report.lineCount), report.lines.length),
  );
}

function refuse(ledger: Ledger, job: JobRecord, worker: string, report: AttemptReport): Fenced {
  const { token, progress, lines } = report;
  const refused = { token, worker };
  if (lines.length > 0) refuseOnce(ledger, job, { ...refused, tried: "log" });
  if (progress === null && lines.length > 0) return fencedOut(job, token);
  return refuseOnce(ledger, job, { ...refused, tried: "progress" });
}
