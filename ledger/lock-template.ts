// A job's lock keys: those it names, or what its kind's templates give for its payload.
//
// "account:{accountId}" is filled from the payload's top-level fields, which must be strings,
// numbers or booleans. Guarantees: keys are distinct and none is empty, since an empty key could
// not be told from "not parked"; what cannot be filled is told, never skipped: a job that runs
// without its lock is worse than one refused.

import type { JobSpec } from "./command.ts";

export type LockKeys = { readonly keys: readonly string[] } | { readonly unfilled: string };

/** In characters; what is named outright is held to the same by whoever proposes. */
export const LOCK_KEY_LENGTH_MAX = 256;
const FIELD = /\{([^{}]*)\}/g;

export function lockKeysOf(spec: JobSpec, templates: readonly string[]): LockKeys {
  if (spec.lockKeys.length > 0) {
    return spec.lockKeys.includes("") ? { unfilled: "" } : { keys: [...new Set(spec.lockKeys)] };
  }
  if (templates.length === 0) return { keys: [] };
  const fields = fieldsOf(spec.payload);
  const keys = new Set<string>();
  for (const template of templates) {
    const key = fill(template, fields);
    if (key === "") return { unfilled: template };
    keys.add(key);
  }
  return { keys: [...keys] };
}

/** "" if a field is missing, or so long that the key would be. */
export function fill(template: string, fields: ReadonlyMap<string, unknown>): string {
  let isFilled = true;
  const key = template.replace(FIELD, (_, name: string) => {
    const value = fields.get(name);
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      return String(value);
    }
    isFilled = false;
    return "";
  });
  // A lone surrogate becomes U+FFFD on the wire and in Redis: the ledger has to hold what they do.
  return isFilled && key.length <= LOCK_KEY_LENGTH_MAX ? key.toWellFormed() : "";
}

export function fieldsOf(payload: Uint8Array): ReadonlyMap<string, unknown> {
  const value = parse(payload);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
  return new Map(Object.entries(value));
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    // Whoever proposes checks payloads; one that is not JSON all the same has no fields.
    return null;
  }
}
