// What a worker's attempts tell of themselves, on its way to the ledger: progress and log lines.
//
// Guarantees: the latest progress wins; a few commands a second at most, whatever handlers say,
// each for all attempts that have news. What one report said is sent again as it was until the
// ledger has answered, and reports are numbered, so nothing is recorded twice. `flush` returns
// when all was answered, or when the quorum has not answered for a while: a result is worth more
// than a last line. Lines beyond the limit are left out, the oldest first, and counted.
// Does not own: who may be heard (ledger/progress.ts), nor what is too large (attempt-handler.ts).

import type { AttemptReport } from "../ledger/command.ts";
import type { Fenced } from "../protos/gen/node/v1/exchange.ts";
import { REPORT_LINES_MAX, REPORTS_BYTES_MAX, REPORTS_MAX } from "../transport/limit.ts";
import type { Quorum } from "../transport/quorum.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import type { AttemptRef } from "./attempt-report.ts";
import { type Clock, MACHINE_CLOCK } from "./clock.ts";

/** The attempt's own end of it. */
export interface AttemptReporter {
  /** JSON. */
  progress(json: Uint8Array): void;
  log(line: string): void;
  flush(): Promise<void>;
  /** What was not sent by then is not sent. */
  close(): void;
}

export interface ProgressReporterOptions {
  readonly quorum: Pick<Quorum, "propose">;
  readonly worker: string;
  readonly logger: Logger;
  /** The ledger says that the attempt is over. */
  readonly stale: (fenced: Fenced) => void;
  /** Between two commands, begin to begin. */
  readonly pauseMs?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

interface Source {
  readonly ref: AttemptRef;
  progress: Uint8Array | null;
  lines: string[];
  lineCount: number;
  /** Sent, and not answered: goes again as it is. */
  sent: AttemptReport | null;
  sequence: number;
  isClosed: boolean;
}

const PAUSE_MS = 300;
const ANSWER_TIMEOUT_MS = 2_000;
/** How long an end is held back for the last words. */
const FLUSH_MS = 5_000;

export class ProgressReporter {
  readonly #options: ProgressReporterOptions;
  /** Those with news, in the order they had them first. */
  readonly #waiting = new Set<Source>();
  #round: Promise<boolean> | null = null;
  readonly #clock: Clock;
  #forgetTimer: (() => void) | null = null;
  #begunMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProgressReporterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MACHINE_CLOCK;
  }

  open(ref: AttemptRef): AttemptReporter {
    const source: Source = {
      ref,
      progress: null,
      lines: [],
      lineCount: 0,
      sent: null,
      // Rising also if another process goes on with the attempt.
      sequence: Date.now(),
      isClosed: false,
    };
    return {
      progress: (json) => {
        source.progress = json;
        this.#hasNews(source);
      },
      log: (line) => {
        source.lines.push(line);
        source.lineCount += 1;
        if (source.lines.length > REPORT_LINES_MAX) source.lines.shift();
        this.#hasNews(source);
      },
      flush: () => this.#flush(source),
      close: () => {
        source.isClosed = true;
        this.#waiting.delete(source);
      },
    };
  }

  stop(): void {
    this.#forgetTimer?.();
    this.#forgetTimer = null;
    this.#waiting.clear();
  }

  #hasNews(source: Source): void {
    if (source.isClosed) return;
    this.#waiting.add(source);
    this.#sendSoon();
  }

  /** At once if the last command is long ago. */
  #sendSoon(): void {
    if (this.#forgetTimer !== null || this.#round !== null || this.#waiting.size === 0) return;
    const { pauseMs = PAUSE_MS } = this.#options;
    const delayMs = Math.max(0, this.#begunMs + pauseMs - this.#clock.nowMs());
    this.#forgetTimer = this.#clock.after(delayMs, () => {
      this.#forgetTimer = null;
      void this.#startRound();
    });
  }

  async #flush(source: Source): Promise<void> {
    const endMs = this.#clock.nowMs() + FLUSH_MS;
    while (this.#waiting.has(source) && this.#clock.nowMs() < endMs) {
      // A round on its way may have begun before the last news.
      if (this.#round !== null) await this.#round;
      else if (!(await this.#startRound())) return;
    }
  }

  /** Whether the ledger has answered. */
  #startRound(): Promise<boolean> {
    this.#round ??= this.#send()
      .catch((error: unknown) => {
        this.#options.logger.error({ error: String(error) }, "reporting progress failed");
        return false;
      })
      .finally(() => {
        this.#round = null;
        this.#sendSoon();
      });
    return this.#round;
  }

  async #send(): Promise<boolean> {
    const { quorum, worker, logger } = this.#options;
    this.#begunMs = this.#clock.nowMs();
    const sources = this.#take();
    const reports = sources.map(reportOf);
    if (reports.length === 0) return true;
    const outcome = await quorum.propose(
      { kind: "report-progress", worker, reports },
      { timeoutMs: ANSWER_TIMEOUT_MS, traceparent: "" },
    );
    if (outcome.kind !== "applied") {
      logger.debug({ outcome, attempts: reports.length }, "progress not reported");
      return false;
    }
    const { result } = outcome.applied;
    if (result?.$case !== "reported") {
      logger.error({ answer: result?.$case }, "not an answer to a report of progress");
      return false;
    }
    for (const source of sources) {
      source.sent = null;
      if (!hasNews(source)) this.#waiting.delete(source);
    }
    for (const fenced of result.value.stale) this.#options.stale(fenced);
    return true;
  }

  /** As many as one command may hold. */
  #take(): Source[] {
    const sources: Source[] = [];
    let bytes = 0;
    for (const source of this.#waiting) {
      bytes += bytesOf(source);
      const isFull = sources.length === REPORTS_MAX || bytes > REPORTS_BYTES_MAX;
      if (isFull && sources.length > 0) break;
      sources.push(source);
    }
    return sources;
  }
}

function hasNews({ progress, lineCount }: Source): boolean {
  return progress !== null || lineCount > 0;
}

function reportOf(source: Source): AttemptReport {
  if (source.sent !== null) return source.sent;
  source.sequence = Math.max(source.sequence + 1, Date.now());
  const { ref, sequence, progress, lines, lineCount } = source;
  source.sent = { jobId: ref.jobId, token: ref.token, sequence, progress, lines, lineCount };
  source.progress = null;
  source.lines = [];
  source.lineCount = 0;
  return source.sent;
}

/** About what it takes in a message. */
function bytesOf({ sent, progress, lines }: Source): number {
  let bytes = (sent?.progress ?? progress)?.byteLength ?? 0;
  for (const line of sent?.lines ?? lines) bytes += 3 * line.length;
  return bytes;
}
