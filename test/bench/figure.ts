// What the benchmark reports: one figure a row, of latencies, of a rate or of an amount.
//
// Guarantees: a figure names what it measured, from how many samples, and how many calls failed.

import type { ClosedLoopOutcome } from "./closed-loop.ts";
import { type Summary, summaryOf } from "./percentile.ts";

export interface LatencyFigure {
  readonly kind: "latency";
  readonly what: string;
  /** In ms, rounded to microseconds; null where nothing was measured. */
  readonly latencyMs: Summary;
  /** Answers a second; null where calls were not made back to back. */
  readonly perSecond: number | null;
  readonly failures: number;
}

export interface RateFigure {
  readonly kind: "rate";
  readonly what: string;
  readonly count: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly failures: number;
}

/** Neither a time nor a rate: memory, disk, a ratio. */
export interface AmountFigure {
  readonly kind: "amount";
  readonly what: string;
  readonly amount: number;
  /** "": none. */
  readonly unit: string;
  readonly failures: 0;
}

export type Figure = LatencyFigure | RateFigure | AmountFigure;

export function closedLoopFigure(what: string, outcome: ClosedLoopOutcome): LatencyFigure {
  const { samplesMs, failures, elapsedMs } = outcome;
  const perSecond = Math.round((samplesMs.length / elapsedMs) * 1_000);
  return { ...latencyFigure(what, samplesMs, failures), perSecond };
}

export function latencyFigure(
  what: string,
  samplesMs: readonly number[],
  failures: number,
): LatencyFigure {
  const { count, min, p50, p99, max } = summaryOf(samplesMs);
  const latencyMs = {
    count,
    min: toMicros(min),
    p50: toMicros(p50),
    p99: toMicros(p99),
    max: toMicros(max),
  };
  return { kind: "latency", what, latencyMs, perSecond: null, failures };
}

export function rateFigure(
  what: string,
  count: number,
  elapsedMs: number,
  failures = 0,
): RateFigure {
  const seconds = Math.round(elapsedMs) / 1_000;
  const perSecond = Math.round((count / elapsedMs) * 1_000);
  return { kind: "rate", what, count, seconds, perSecond, failures };
}

export function amountFigure(what: string, amount: number, unit: string): AmountFigure {
  return { kind: "amount", what, amount: Math.round(amount * 100) / 100, unit, failures: 0 };
}

function toMicros(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
