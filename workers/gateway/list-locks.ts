// ListLocks: which lock keys are held, by whom, until when, and how many wait.
//
// Guarantees: linearizable. Pages follow the order of the keys, so that what comes and goes between
// two pages neither hides nor repeats another key.

import type { HeldKey } from "../../protos/gen/node/v1/lock.ts";
import type {
  ListLocksRequest,
  ListLocksResponse,
  Lock,
} from "../../protos/gen/quorumq/v1/job_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { JobHandlers } from "../../transport/grpc/server.ts";
import { KEY_LENGTH_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../transport/limit.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { read } from "./ask.ts";
import { textOfToken, tokenOfText } from "./opaque-token.ts";
import { checkLength } from "./validate.ts";
import { quoted, Violations } from "./violations.ts";

const TOKEN_PREFIX = "1.key.";
/** A key in UTF-8, in base64. */
const TOKEN_LENGTH_MAX = 4 * KEY_LENGTH_MAX + 16;

export function listLocksHandler(quorum: Quorum): Required<Pick<JobHandlers, "listLocks">> {
  return { listLocks: (request, call) => list(quorum, request, call) };
}

async function list(
  quorum: Quorum,
  { pageSize, pageToken, key }: ListLocksRequest,
  call: Call,
): Promise<ListLocksResponse> {
  const violations = new Violations();
  if (pageSize < 0) {
    violations.add("page_size", "is negative", pageSize, `0 to ${PAGE_SIZE_MAX}`);
  }
  checkLength(key, "key", KEY_LENGTH_MAX, violations);
  const afterKey = pageToken === "" ? "" : keyOf(pageToken);
  if (afterKey === null || (pageToken !== "" && key !== "")) {
    const limit = "the next_page_token of a list of all keys";
    violations.add("page_token", "does not belong to this list", quoted(pageToken), limit);
  }
  violations.requireNone();
  const size = Math.min(pageSize === 0 ? PAGE_SIZE_DEFAULT : pageSize, PAGE_SIZE_MAX);
  const value = { key, afterKey: afterKey ?? "", pageSize: size };
  const { heldKeys, hasMore } = await read(quorum, { read: { $case: "heldKeys", value } }, call);
  const locks = (heldKeys?.keys ?? []).flatMap(lockOf);
  const last = locks.at(-1);
  return { locks, nextPageToken: hasMore && last !== undefined ? tokenOf(last.key) : "" };
}

/** The ids of locks begin with l-, those of jobs with j-. */
function lockOf({ holder, waitingCount }: HeldKey): Lock[] {
  if (holder === undefined) return [];
  const { key, id, owner, token, expiryMs } = holder;
  const isJob = id.startsWith("j-");
  const jobId = isJob ? id : "";
  const lockId = isJob ? "" : id;
  const leaseExpireTime = new Date(expiryMs);
  return [{ key, jobId, token, leaseExpireTime, waitingCount, lockId, owner }];
}

function tokenOf(key: string): string {
  return tokenOfText(`${TOKEN_PREFIX}${key}`);
}

/** null: not a token of ours. */
function keyOf(token: string): string | null {
  const text = textOfToken(token, TOKEN_LENGTH_MAX) ?? "";
  return text.startsWith(TOKEN_PREFIX) ? text.slice(TOKEN_PREFIX.length) : null;
}
