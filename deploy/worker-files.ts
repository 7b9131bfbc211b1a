// The job definitions that a user's files export.
//
// Guarantees: an export counts as a definition by its shape, whichever copy of quorumq made it;
// lists of definitions count too. What is wrong with a file is told with its name, and with the
// place if its code threw; a kind that is defined twice, with both files.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { JobDefinition } from "../workers/define-job.ts";
import { UsageError } from "./exit-code.ts";

/** All definitions that the files export, in their order. */
export async function definitionsOf(files: readonly string[]): Promise<JobDefinition[]> {
  const byKind = new Map<string, { readonly job: JobDefinition; readonly file: string }>();
  for (const file of files) {
    const found = Object.values(await load(file))
      .flat()
      .filter(isDefinition);
    if (found.length === 0) {
      throw new UsageError(`${file} exports no job; export the value of defineJob({ … })`);
    }
    for (const job of found) {
      const other = byKind.get(job.kind);
      // One definition under two names, such as a default and a named export, is one.
      if (other !== undefined && other.job !== job) throw twice(job.kind, other.file, file);
      byKind.set(job.kind, { job, file });
    }
  }
  return [...byKind.values()].map(({ job }) => job);
}

function twice(kind: string, first: string, second: string): UsageError {
  const where = first === second ? first : `${first} and ${second}`;
  return new UsageError(`the job ${kind} is defined more than once: in ${where}`);
}

async function load(file: string): Promise<Record<string, unknown>> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`${file} cannot be loaded: there is no ${path}`);
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${file} cannot be loaded: ${String(error)}${placeOf(error)}`, {
      cause: error,
    });
  }
}

/** The user's own line that threw; a syntax error's is before its message. */
function placeOf(error: unknown): string {
  const lines = String((error as { stack?: unknown } | null)?.stack ?? "").split("\n");
  const line = lines.find(
    (one) => /^( +at |file:)[^ ]*\/.*:\d+/.test(one) && !one.includes("/node_modules/"),
  );
  const place = line?.trim().replace(/^at /, "");
  return place === undefined || place === "" ? "" : `\n  in ${place}`;
}

function isDefinition(value: unknown): value is JobDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { kind, queue, run, lockTemplates } = value as Partial<Record<string, unknown>>;
  return (
    typeof kind === "string" &&
    typeof queue === "string" &&
    typeof run === "function" &&
    Array.isArray(lockTemplates)
  );
}
