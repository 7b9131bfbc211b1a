// One line for each begin and end of a handler, written by several processes into one file.
//
// Guarantees: a line is appended in one write, so lines never mix, and their order is the order in
// which things happened: a begin is written before the handler's work, an end after it.

import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface ProbeMark {
  readonly event: "begin" | "end";
  readonly kind: string;
  readonly jobId: string;
  readonly key: string;
  readonly attempt: number;
  readonly token: number;
}

export function writeMark(file: string, mark: ProbeMark): void {
  appendFileSync(file, `${JSON.stringify(mark)}\n`);
}

export function marksOf(file: string): readonly ProbeMark[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as ProbeMark);
}
