// Log lines on stderr, one a change of state, none a heartbeat: JSON, but for people on a terminal.
//
// Guarantees: level is a word, time is ISO 8601, and the fields of OpenTelemetry's JSON log format
// (trace_id, span_id) are used by those who log about a job. Payloads and secrets never enter.

import { type Logger, pino, stdTimeFunctions } from "pino";
import { logText } from "./log-text.ts";

export type { Logger };

export interface LoggerOptions {
  readonly component: string;
  /** Node, gateway or worker id. */
  readonly id: string;
  readonly level: string;
}

const TERMINAL = { write: (line: string): void => void process.stderr.write(logText(line)) };

export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { component: options.component, id: options.id },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    process.stderr.isTTY === true ? TERMINAL : pino.destination({ dest: 2, sync: true }),
  );
}

/** For tests and embedding: says nothing. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}
