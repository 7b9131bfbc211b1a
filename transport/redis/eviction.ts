// Whether Redis may throw away what it was given: its maxmemory-policy, told loudly.
//
// With any policy but noeviction, a full Redis drops deliveries and locks, those with a time to
// live first. Nothing accepted is lost by it, since the ledger has it, but jobs wait until they are
// brought back, and locks only seem to be held. Guarantees: looked at whenever the connection is
// made, told each time that it is wrong; a Redis that does not tell is not complained about.
// Does not own: what is done about it (the operator's).

import type { Redis } from "ioredis";
import type { Logger } from "../telemetry/logger.ts";

export const SAFE_POLICY = "noeviction";

export function warnOfEviction(redis: Redis, logger: Logger): void {
  redis.on("ready", () => {
    redis.info("memory").then(
      (info) => {
        const policy = evictionPolicyIn(info);
        if (policy === null || policy === SAFE_POLICY) return;
        const wrong = "a full Redis would drop deliveries and locks";
        logger.warn({ maxmemory_policy: policy }, `${wrong}: set its policy to ${SAFE_POLICY}`);
      },
      (error: unknown) => logger.debug({ error: String(error) }, "Redis does not tell its policy"),
    );
  });
}

/** null: it does not say. INFO is allowed where CONFIG is not, as in most hosted ones. */
export function evictionPolicyIn(info: string): string | null {
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null;
}
