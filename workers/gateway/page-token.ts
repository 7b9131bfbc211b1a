// Page tokens of ListJobs: opaque to callers, bound to the filter that they were made for.
//
// Guarantees: a token says where the next page begins and which filter the pages are of; a token of
// another filter, or none of ours, is refused instead of giving wrong pages (AIP-158). It is no
// secret and grants nothing.

import { createHash } from "node:crypto";
import { KEY_LENGTH_MAX } from "../../transport/limit.ts";
import { textOfToken, tokenOfText } from "./opaque-token.ts";

export interface JobFilter {
  readonly state: number;
  readonly kind: string;
  readonly queue: string;
  readonly scheduleId: string;
  readonly parentJobId: string;
}

const VERSION = "1";
const DIGEST_LENGTH = 11;
const TOKEN = new RegExp(`^${VERSION}\\.(.{${DIGEST_LENGTH}})\\.(j-[0-9]+(?:-[0-9]+)?)$`);

export function pageToken(filter: JobFilter, beforeJobId: string): string {
  const text = `${VERSION}.${filterDigest(filter)}.${beforeJobId}`;
  return tokenOfText(text);
}

/** null: not a token of this filter. */
export function parsePageToken(filter: JobFilter, token: string): string | null {
  const match = TOKEN.exec(textOfToken(token, KEY_LENGTH_MAX) ?? "");
  const [, digest, beforeJobId] = match ?? [];
  return digest === filterDigest(filter) ? (beforeJobId ?? null) : null;
}

function filterDigest({ state, kind, queue, scheduleId, parentJobId }: JobFilter): string {
  const named = [state, kind, queue];
  // Tokens do not expire: those of a version without these fields have to stay good.
  if (`${scheduleId}${parentJobId}` !== "") named.push(scheduleId, parentJobId);
  const hash = createHash("sha256").update(JSON.stringify(named));
  return hash.digest("base64url").slice(0, DIGEST_LENGTH);
}
