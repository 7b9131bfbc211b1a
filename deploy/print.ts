// Answers on stdout: columns for people, one JSON document for programs.
//
// Guarantees: JSON is one document a command, or with a stream one a line; field names are those of
// the protos in camelCase, times in ISO 8601. Colours only on a terminal and never under NO_COLOR.
// Does not own: what is said (output.ts, cluster-output.ts, ledger-output.ts).

import { stripVTControlCharacters, styleText } from "node:util";

export type Form = "text" | "json";

export function coloured(color: "green" | "red" | "yellow", text: string): string {
  return styleText(color, text, { stream: process.stdout });
}

/** Fields without a value are left out. */
export function printFields(fields: Readonly<Record<string, string>>): void {
  const shown = Object.entries(fields).filter(([, value]) => value !== "");
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) printLine(`${name.padEnd(width)}  ${value}`);
}

export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((cells) => visibleLength(cells[at] ?? ""))),
  );
  for (const cells of [head, ...rows]) {
    const padded = cells.map((cell, at) => {
      const missing = (widths[at] ?? 0) - visibleLength(cell);
      return `${cell}${" ".repeat(Math.max(0, missing))}`;
    });
    printLine(padded.join("  ").trimEnd());
  }
}

/** Without colour codes, which take no room. */
function visibleLength(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, null, 2));
}

export function printJsonLine(value: unknown): void {
  printLine(JSON.stringify(value));
}

/**
 * A message with its durations as proto3 JSON and the HTTP API have them: "1.5s". Not for payloads,
 * which may look like one.
 */
export function withDurations<T extends object>(message: T): Record<string, unknown> {
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date || value instanceof Uint8Array) return value;
  const { seconds, nanos } = value as Readonly<Record<string, unknown>>;
  const isDuration = typeof seconds === "number" && typeof nanos === "number";
  return isDuration ? `${seconds + nanos / 1e9}s` : withDurations(value);
}

/** Aborted when stdout's reader has gone (`| head`): for what would print on and on. */
export function whenUnread(): AbortSignal {
  const unread = new AbortController();
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    unread.abort();
  });
  return unread.signal;
}

export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** SUCCEEDED for JOB_STATE_SUCCEEDED. */
export function wordOf(
  names: Readonly<Record<string, number>>,
  value: number,
  prefix: string,
): string {
  const name = Object.keys(names).find((key) => names[key] === value);
  return name === undefined ? String(value) : name.slice(prefix.length);
}
