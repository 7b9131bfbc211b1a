// A kind whose attempts are run in another process: bytes go out, bytes come back, and nothing in
// between looks into them.
//
// Guarantees: everything around the attempt (start, locks, lease, finish) is what it is for a
// handler of this process; only the handler is replaced.
// Does not own: how the attempt travels (remote/session.ts).

import type { Started } from "../protos/gen/node/v1/exchange.ts";
import { type AttemptContext, DEFAULT_RETRY, type JobDefinition } from "./define-job.ts";
import type { AttemptEnd } from "./outcome.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** Whoever runs it has gone or says nothing: its lease runs out, unless it comes back before. */
export const SILENT = Symbol("silent");

export interface RelayedAttempt extends AttemptContext {
  readonly started: Started;
  /** As `progress`, byte for byte. Throws when it is too large. */
  progressJson(json: Uint8Array): void;
}

/** Never rejects. */
export type Relay = (attempt: RelayedAttempt) => Promise<AttemptEnd | typeof SILENT>;

export interface RelayedDefinition extends JobDefinition {
  readonly relay: Relay;
}

const ANYTHING: StandardSchema = {
  "~standard": { version: 1, vendor: "quorumq", validate: (value) => ({ value }) },
};

export type RelayedKind = Pick<JobDefinition, "kind" | "queue" | "timeoutMs" | "lockTemplates"> &
  Partial<Pick<JobDefinition, "retry" | "totalTimeoutMs" | "concurrencyTemplates">>;

export function relayedDefinition(kind: RelayedKind, relay: Relay): RelayedDefinition {
  const run = (): Promise<never> => Promise.reject(new Error("a relayed kind has no handler here"));
  const defaults = { retry: DEFAULT_RETRY, totalTimeoutMs: 0, concurrencyTemplates: [] };
  return { ...defaults, ...kind, input: ANYTHING, output: null, run, relay };
}

export function isRelayed(definition: JobDefinition): definition is RelayedDefinition {
  return "relay" in definition;
}
