// What a node answers to a call, as plain values that stay as they were.
//
// Guarantees: nothing in an answer is the ledger's own: a job is told by what it was at that
// moment. Does not own: how an answer travels (clients/).

import type { Result } from "../../ledger/result.ts";
import type { RefusalReason } from "../../raft/effect.ts";
import type { LogIndex, NodeId } from "../../raft/message.ts";
import type { JobOutcome } from "./linearizability/job-call.ts";
import { outcomeOf as jobOutcomeOf, renewalOf } from "./linearizability/job-observation.ts";

export type LockOutcome = Extract<Result, { kind: "locks" | "lock-refused" }>;
export type DrainOutcome = Extract<Result, { kind: "queue-drained" }>;
export type Applied = JobOutcome | LockOutcome | DrainOutcome | { readonly kind: "done" };

export type Answer =
  | { readonly kind: "applied"; readonly index: LogIndex; readonly outcome: Applied }
  | {
      readonly kind: "refused";
      /** "unknown": it may have happened, or may happen yet. */
      readonly reason: RefusalReason | "unknown";
      readonly leader: NodeId | null;
    }
  /** A change of membership is in the log. */
  | { readonly kind: "done"; readonly index: LogIndex }
  | { readonly kind: "read"; readonly appliedIndex: LogIndex; readonly outcome: JobOutcome };

export type Reply = (answer: Answer) => void;

/** Workers here renew one lease at a time. */
export function outcomeOf(result: Result): Applied {
  if (result.kind.startsWith("schedule")) return { kind: "done" };
  // Standings are copies already.
  if (["done", "locks", "lock-refused", "queue-drained"].includes(result.kind))
    return result as Applied;
  const isPlain = ["reported", "queue-set", "queue-not-found"].includes(result.kind);
  if (isPlain) return { kind: "done" };
  if (result.kind !== "renewed") return jobOutcomeOf(result);
  const stale = result.stale[0];
  return stale === undefined ? { kind: "renewed" } : renewalOf(result, stale.jobId, stale.token);
}
