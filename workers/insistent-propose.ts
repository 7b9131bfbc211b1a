// Proposes a command until the ledger has answered it, across leader changes and outages.
//
// Guarantees: gives up only when the signal is aborted, and then not in the middle of a call, whose
// outcome would be unknown for no need. Sending again is safe: a start is named by its startId,
// everything else by its token.

import { setTimeout as sleep } from "node:timers/promises";
import type { CommandBody } from "../ledger/command.ts";
import type { ProposeOutcome, Quorum } from "../transport/quorum.ts";

const ANSWER_TIMEOUT_MS = 5_000;
const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 1_000;

export interface InsistOptions {
  readonly traceparent: string;
  /** Aborted: no call after the one on its way. */
  readonly signal: AbortSignal;
  /** Aborted: not even that one is waited for. */
  readonly callSignal?: AbortSignal;
}

/** The last outcome: "applied", unless the signal was aborted first. */
export async function proposeInsistently(
  quorum: Quorum,
  body: CommandBody,
  { traceparent, signal, callSignal }: InsistOptions,
): Promise<ProposeOutcome> {
  const call = {
    timeoutMs: ANSWER_TIMEOUT_MS,
    traceparent,
    ...(callSignal === undefined ? {} : { signal: callSignal }),
  };
  for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)) {
    const outcome = await quorum.propose(body, call);
    if (outcome.kind === "applied" || signal.aborted) return outcome;
    try {
      await sleep(pauseMs, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
      return outcome;
    }
  }
}
