// A call of the public client that is made again as long as nothing can have happened.
//
// Guarantees: UNAVAILABLE, which means that nothing did, is asked again within the caller's time: a
// gateway that starts anew, and a quorum that elects, take longer than the channel's own few tries.
// What the last try was told is what the caller is told. The caller's signal ends it at once.

import { setTimeout as delay } from "node:timers/promises";
import type { ClientCallOptions } from "../../transport/grpc/client.ts";
import { CALL_TIMEOUT_MS_DEFAULT } from "../../transport/limit.ts";
import { Code, PipelineError } from "../../transport/pipeline-error.ts";

const RETRY_MS = 500;

export async function insistently<T>(
  options: ClientCallOptions,
  call: (options: ClientCallOptions) => Promise<T>,
): Promise<T> {
  const { timeoutMs: givenMs = CALL_TIMEOUT_MS_DEFAULT, signal } = options;
  const endMs = performance.now() + givenMs;
  for (let timeoutMs = givenMs; ; timeoutMs = endMs - performance.now()) {
    const beganMs = performance.now();
    try {
      return await call({ ...options, timeoutMs });
    } catch (thrown) {
      const { code, retry, retryDelayMs = RETRY_MS } = PipelineError.from(thrown);
      // One that is cut off by the deadline would say "unknown" where "nobody is there" is known.
      const nowMs = performance.now();
      const nextEndsMs = nowMs + retryDelayMs + (nowMs - beganMs);
      const isOver = signal?.aborted === true || nextEndsMs >= endMs;
      if (isOver || code !== Code.Unavailable || retry !== "safe") throw thrown;
      const ended = signal === undefined ? {} : { signal };
      // Ended early, the next try says so.
      await delay(retryDelayMs, undefined, ended).catch(() => undefined);
    }
  }
}
