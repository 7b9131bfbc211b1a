// The report of a run as plain lines for people: figures, machine, and what they do not say.

import type { BenchReport } from "./bench.ts";
import type { Figure } from "./figure.ts";

const HEADER = ["", "samples", "p50 ms", "p99 ms", "min", "max", "per second", "failed"];

export function linesOf(report: BenchReport): readonly string[] {
  const { machine, options } = report;
  const figures = Object.values(report.figures).flat();
  return [
    ...aligned([HEADER, ...figures.map(cellsOf)]),
    "",
    `machine   ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; load before ` +
      `${machine.loadBefore}; 4 KiB write with fsync ${machine.fsyncMs} ms`,
    `versions  quorumq ${machine.quorumq}, Node ${machine.node}, BullMQ ${machine.bullmq}, ` +
      `Redis ${machine.redis}, RabbitMQ ${machine.rabbitmq ?? "not used"}`,
    `run       ${options.seconds} s a row, concurrency 2 x ${options.concurrency}, ` +
      `took ${report.tookSeconds} s`,
    "",
    ...NOTES,
  ];
}

const NOTES = [
  "Measured: one machine, loopback, all processes and the caller sharing its cores. SayHello is",
  "a whole job: accepted by a majority with fsync, run by a worker, result recorded, answered.",
  "Callers are a closed loop: each waits for its answer. Percentiles are nearest-rank over all",
  "samples. Accepted and recorded are counted while both go on. Failover is from the signal to",
  "the first job accepted that was submitted after it, without other load, within 5 ms.",
  "Not measured: networks and disks of several machines, larger payloads, locks, TLS, collected",
  "traces, failover under load. Bare BullMQ gives no quorum, no fsync and no recorded result, and",
  "its Redis keeps nothing on disk: it stands here for scale, not as a rival.",
];

function cellsOf(figure: Figure): string[] {
  const failed = String(figure.failures);
  if (figure.kind === "rate") {
    const rate = String(figure.perSecond);
    return [figure.what, String(figure.count), "", "", "", "", rate, failed];
  }
  if (figure.kind === "amount") return [`${figure.what}: ${figure.amount} ${figure.unit}`.trim()];
  const { count, p50, p99, min, max } = figure.latencyMs;
  const times = [p50, p99, min, max].map((ms) => (Number.isNaN(ms) ? "-" : ms.toFixed(1)));
  return [figure.what, String(count), ...times, String(figure.perSecond ?? ""), failed];
}

/** The first column to the left, the numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADER.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
