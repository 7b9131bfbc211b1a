// Proposals and reads on behalf of one call, within its time.
//
// Guarantees: the gateway answers a little before the caller stops listening. Without a leader it
// says so after LEADERLESS_MS at most. A proposal that may have been delivered is sent again until
// the time is over (commands are idempotent), and from then on never reported as "not happened".
// Does not own: finding the leader (transport/quorum.ts).

import { setTimeout as delay } from "node:timers/promises";
import type { CommandBody } from "../../ledger/command.ts";
import type {
  Applied as WireApplied,
  Read as WireRead,
  ReadAnswer as WireReadAnswer,
} from "../../protos/gen/node/v1/exchange.ts";
import type { Call } from "../../transport/grpc/call.ts";
import { CALL_TIMEOUT_MS_DEFAULT } from "../../transport/limit.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { readTimedOut, unavailable } from "./outcome.ts";

/** The longest wait for a leader; failover is well within it. */
export const LEADERLESS_MS = 5_000;
/** Between two tries whose outcome is unknown, in case they fail at once. */
const PAUSE_MS = 50;
/** Of the caller's time, kept for the way back. */
const RETURN_SHARE = 0.1;
const RETURN_MS_MAX = 200;

/** Milliseconds that the gateway may still take; counts down. */
export type TimeLeft = () => number;

/** Time for one answer of the call: of a stream without a deadline, the default of a unary call. */
export function timeLeft(call: Call): TimeLeft {
  const remainingMs = call.remainingMs();
  const allowedMs = Number.isFinite(remainingMs) ? remainingMs : CALL_TIMEOUT_MS_DEFAULT;
  const endMs = performance.now() + allowedMs - Math.min(RETURN_MS_MAX, allowedMs * RETURN_SHARE);
  return () => endMs - performance.now();
}

/** null: it may have happened. Throws what is known not to have happened. */
export async function propose(
  quorum: Quorum,
  body: CommandBody,
  call: Pick<Call, "traceparent" | "signal">,
  leftMs: TimeLeft,
): Promise<WireApplied | null> {
  let mayHaveHappened = false;
  for (;;) {
    const timeoutMs = Math.min(leftMs(), LEADERLESS_MS);
    if (timeoutMs <= 0) break;
    const { traceparent, signal } = call;
    const outcome = await quorum.propose(body, { timeoutMs, traceparent, signal });
    if (outcome.kind === "applied") return outcome.applied;
    signal.throwIfAborted();
    if (outcome.kind === "unknown") mayHaveHappened = true;
    else if (!mayHaveHappened) throw unavailable(outcome);
    await pause(call, leftMs);
  }
  if (!mayHaveHappened) throw unavailable({ kind: "unavailable", reason: "no-leader" });
  return null;
}

export async function read(
  quorum: Quorum,
  question: WireRead,
  call: Call,
  leftMs: TimeLeft = timeLeft(call),
): Promise<WireReadAnswer> {
  for (;;) {
    const timeoutMs = Math.min(leftMs(), LEADERLESS_MS);
    if (timeoutMs <= 0) throw readTimedOut();
    const { traceparent, signal } = call;
    const outcome = await quorum.read(question, { timeoutMs, traceparent, signal });
    if (outcome.kind === "answered") return outcome.answer;
    signal.throwIfAborted();
    if (outcome.kind === "unavailable") throw unavailable(outcome);
    await pause(call, leftMs);
  }
}

/** Ends early only with the call's signal, whose reason it then throws. */
export async function pause(
  { signal }: Pick<Call, "signal">,
  leftMs: TimeLeft,
  ms: number = PAUSE_MS,
): Promise<void> {
  try {
    await delay(Math.max(1, Math.min(ms, leftMs())), undefined, { signal });
  } catch {
    // Only an abort ends it early, and its reason is what the caller is told.
    signal.throwIfAborted();
  }
}
