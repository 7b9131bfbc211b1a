// What the headers of a request say: its time, its trace, its idempotency key, what it waits for.
//
// Guarantees: a header that cannot be right is refused like a field, never guessed at.

import type { Violation } from "../pipeline-error.ts";
import type { HeadersIn } from "./exchange.ts";

export interface RequestHeaders {
  /** Infinity: the caller gave none. */
  readonly timeoutMs: number;
  readonly traceparent: string;
  readonly idempotencyKey: string;
  /** The caller wants the end of the job instead of its acceptance. */
  readonly isWaiting: boolean;
  /** "" if this is no continuation. */
  readonly lastEventId: string;
  readonly violations: readonly Violation[];
}

/** Node reads other bytes as Latin-1: a key in UTF-8 would be another one than in a body. */
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Milliseconds: the deadline of the call, as `grpc-timeout` is over gRPC. */
export const TIMEOUT_HEADER = "x-timeout-ms";

export function readHeaders(headers: HeadersIn, query: URLSearchParams): RequestHeaders {
  const violations: Violation[] = [];
  const wait = waitOf(headers.get("prefer") ?? "");
  const asked = query.get("wait");
  if (asked !== null && asked !== "true" && asked !== "false") {
    violations.push({ field: "wait", description: "is not true or false" });
  }
  const timeout = headers.get(TIMEOUT_HEADER);
  let timeoutMs = wait?.timeoutMs ?? Number.POSITIVE_INFINITY;
  if (timeout !== null) {
    timeoutMs = /^\d{1,9}$/.test(timeout) ? Number(timeout) : Number.POSITIVE_INFINITY;
    if (!Number.isFinite(timeoutMs)) {
      violations.push({ field: TIMEOUT_HEADER, description: "is not a number of milliseconds" });
    }
  }
  const lastEventId = headers.get("last-event-id") ?? "";
  if (!/^\d{0,16}$/.test(lastEventId)) {
    violations.push({ field: "last-event-id", description: "is not the id of an event" });
  }
  const key = headers.get("idempotency-key") ?? "";
  if (!PRINTABLE.test(key)) {
    const description = "is not in ASCII, which headers are; put the key into the body";
    violations.push({ field: "idempotency-key", description });
  }
  return {
    timeoutMs,
    traceparent: headers.get("traceparent") ?? "",
    idempotencyKey: unquoted(key),
    isWaiting: wait !== null || asked === "true",
    lastEventId,
    violations,
  };
}

/** `Prefer: wait` or `wait=5`, in seconds (RFC 7240); null: neither is there, or no wait at all. */
function waitOf(prefer: string): { readonly timeoutMs: number } | null {
  for (const preference of prefer.split(",")) {
    const match = /^\s*wait\s*(?:=\s*"?(\d{1,6})"?)?\s*(?:;.*)?$/i.exec(preference);
    if (match === null) continue;
    const seconds = match[1];
    if (Number(seconds) === 0) return null;
    return {
      timeoutMs: seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000,
    };
  }
  return null;
}

/** The header's draft has a string in quotes; most clients send it bare. */
function unquoted(key: string): string {
  return /^"(?:[^"\\]|\\["\\])*"$/.test(key) ? key.slice(1, -1).replaceAll(/\\(.)/g, "$1") : key;
}
