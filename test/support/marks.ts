// Reads what marking-jobs.ts wrote, and waits for it.

import { existsSync, readFileSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { Mark } from "./marking-jobs.ts";

export function marksIn(file: string): readonly Mark[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Mark);
}

/** Resolves with the first mark that fits, as soon as it is written. */
export function untilMarked(
  file: string,
  fits: (mark: Mark) => boolean,
  timeoutMs: number,
): Promise<Mark> {
  return new Promise((resolve, reject) => {
    const watcher = watch(dirname(file), (_event, name) => {
      if (name === basename(file)) check();
    });
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      watcher.close();
      finish();
    };
    const check = (): void => {
      const found = marksIn(file).find(fits);
      if (found !== undefined) end(() => resolve(found));
    };
    const timer = setTimeout(() => {
      const seen = JSON.stringify(marksIn(file));
      end(() => reject(new Error(`no such mark in ${timeoutMs} ms; seen: ${seen}`)));
    }, timeoutMs);
    check();
  });
}
