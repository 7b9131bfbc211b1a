// The commands of protos/ledger/v1/jobs.proto: reports of progress, and retries.
//
// Guarantees: as command-codec.ts, of which this is a part.

import type { CommandBody } from "../ledger/command.ts";
import type { Command as WireCommand } from "../protos/gen/ledger/v1/command.ts";

type JobCommand = Extract<CommandBody, { kind: "report-progress" | "retry-job" | "retry-jobs" }>;
type WireJobCommand = Extract<
  NonNullable<WireCommand["command"]>,
  { $case: "reportProgress" | "retryJob" | "retryJobs" }
>;

export function jobCommandFromWire(command: WireJobCommand): JobCommand {
  switch (command.$case) {
    case "reportProgress": {
      const { worker } = command.value;
      const reports = command.value.reports.map((report) => ({
        ...report,
        progress: report.progress ?? null,
      }));
      return { kind: "report-progress", worker, reports };
    }
    case "retryJob":
      return { kind: "retry-job", ...command.value };
    case "retryJobs": {
      const { requestId, fromNumber, retriesMax, cancelled, ...rest } = command.value;
      const filter = { state: cancelled ? "cancelled" : "failed", ...rest } as const;
      return { kind: "retry-jobs", filter, requestId, fromNumber, retriesMax };
    }
  }
}

export function jobCommandToWire(body: JobCommand): WireJobCommand {
  switch (body.kind) {
    case "report-progress": {
      const reports = body.reports.map((report) => ({
        jobId: report.jobId,
        token: report.token,
        sequence: report.sequence,
        progress: report.progress === null ? undefined : Buffer.from(report.progress),
        lines: [...report.lines],
        lineCount: report.lineCount,
      }));
      return { $case: "reportProgress", value: { worker: body.worker, reports } };
    }
    case "retry-job": {
      const { jobId, requestId } = body;
      return { $case: "retryJob", value: { jobId, requestId } };
    }
    case "retry-jobs": {
      const { requestId, fromNumber, retriesMax } = body;
      const { state, kind, queue, errorCode, createdFromMs, createdBeforeMs } = body.filter;
      const filter = { kind, queue, errorCode, createdFromMs, createdBeforeMs };
      const cancelled = state === "cancelled";
      return {
        $case: "retryJobs",
        value: { requestId, fromNumber, retriesMax, cancelled, ...filter },
      };
    }
  }
}
