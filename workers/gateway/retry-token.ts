// Page tokens of RetryJobs: opaque to callers, bound to the filter that they were made for.
//
// Guarantees: a token says where the next piece begins and whose request it goes on; a token of
// another filter, or none of ours, is refused. It is no secret and grants nothing.

import { createHash } from "node:crypto";
import type { RetryFilter } from "../../ledger/command.ts";
import { KEY_LENGTH_MAX } from "../../transport/limit.ts";
import { textOfToken, tokenOfText } from "./opaque-token.ts";

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
  return tokenOfText(text);
}

/** null: not a token of this filter. */
export function parseRetryToken(filter: RetryFilter, token: string): BulkRetry | null {
  const match = TOKEN.exec(textOfToken(token, TOKEN_LENGTH_MAX) ?? "");
  const [, digest, fromNumber, requestId] = match ?? [];
  if (digest !== filterDigest(filter) || requestId === undefined) return null;
  // No request of ours has a longer id, and the leader takes none.
  if (requestId.length > KEY_LENGTH_MAX) return null;
  return { fromNumber: Number(fromNumber), requestId };
}

function filterDigest(filter: RetryFilter): string {
  const { state, kind, queue, errorCode, createdFromMs, createdBeforeMs } = filter;
  const text = JSON.stringify([state, kind, queue, errorCode, createdFromMs, createdBeforeMs]);
  return createHash("sha256").update(text).digest("base64url").slice(0, DIGEST_LENGTH);
}
