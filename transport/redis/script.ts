// A Lua script in Redis, which runs it as one step.
//
// Guarantees: called by its hash; its text goes along only when this Redis has never seen it, or
// has restarted.
// Does not own: what scripts do (lock-script.ts, delivery-script.ts).

import { createHash } from "node:crypto";
import { type Redis, ReplyError } from "ioredis";

export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

export async function runScript(
  redis: Redis,
  { text, sha }: Script,
  keys: readonly string[],
  arguments_: readonly string[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...arguments_);
  } catch (error) {
    if (!isReply(error, "NOSCRIPT")) throw error;
    return await redis.eval(text, keys.length, ...keys, ...arguments_);
  }
}

/** Redis's errors have no field for their code: it is the first word, part of its protocol. */
function isReply(error: unknown, code: string): boolean {
  return error instanceof ReplyError && (error as Error).message.startsWith(`${code} `);
}
