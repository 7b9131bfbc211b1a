// Page tokens of RetryJobs: opaque to callers, bound to the filter that they were made for.
//
// Guarantees: a token says where the next piece begins and whose request it goes on; a token of
// another filter, or none of ours, is refused. It is no secret and grants nothing.

import { createHash } from "node:crypto";
import type { RetryFilter } from "../../ledger/command.ts";

export interface BulkRetry {
  readonly fromNumber: number;
  readonly requestId: string;
}

const VERSION = "r1";
const DIGEST_LENGTH = 11;
const TOKEN = new RegExp(`^${VERSION}\\.(.{${DIGEST_LENGTH}})\\.([0-9]{1,15})\\.(.+)$`, "s");
/** With a request id of the greatest length, in base64. */
const TOKEN_LENGTH_MAX = 2_048;

export function retryToken(filter: RetryFilter, { fromNumber, requestId }: BulkRetry): string {
  const text = `${VERSION}.${filterDigest(filter)}.${fromNumber}.${requestId}`;
  return Buffer.from(text, "utf8").toString("base64url");
}

/** null: not a token of this filter. */
export function parseRetryToken(filter: RetryFilter, token: string): BulkRetry | null {
  if (token.length > TOKEN_LENGTH_MAX) return null;
  const match = TOKEN.exec(Buffer.from(token, "base64url").toString("utf8"));
  const [, digest, fromNumber, requestId] = match ?? [];
  if (digest !== filterDigest(filter) || requestId === undefined) return null;
  return { fromNumber: Number(fromNumber), requestId };
}

function filterDigest(filter: RetryFilter): string {
  const { state, kind, queue, errorCode, createdFromMs, createdBeforeMs } = filter;
  const text = JSON.stringify([state, kind, queue, errorCode, createdFromMs, createdBeforeMs]);
  return createHash("sha256").update(text).digest("base64url").slice(0, DIGEST_LENGTH);
}
