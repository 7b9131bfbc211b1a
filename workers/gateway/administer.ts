// An operator's wish put before the leader, within the call's time.
//
// Guarantees: a wish whose answer was lost is repeated, and a refusal that only says that the first
// sending did its work, or is still at it, is not told as one: the cluster is looked at, or the
// leader asked again. What may have happened is never reported as "not happened".
// Does not own: the wording of refusals (administer-refused.ts).

import type { Administered, AdministerRefused } from "../../protos/gen/node/v1/exchange.ts";
import { AdministerRefused_Reason as Reason } from "../../protos/gen/node/v1/exchange.ts";
import type { GetClusterResponse } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import type { Call } from "../../transport/grpc/call.ts";
import type { AdministerAction, Quorum } from "../../transport/quorum.ts";
import { administerRefused } from "./administer-refused.ts";
import { LEADERLESS_MS, pause, read, type TimeLeft, timeLeft } from "./ask.ts";
import { outcomeUnknown, unavailable } from "./outcome.ts";

export interface Wish {
  readonly action: AdministerAction;
  /** Whether the cluster is as it was to become; absent if one cannot tell by looking at it. */
  readonly isFulfilled?: (cluster: GetClusterResponse) => boolean;
  /** What may have taken place, as in "the time is over and …". */
  readonly whatHappened: string;
  readonly advice: string;
  readonly metadata: Readonly<Record<string, string>>;
}

type Outcome = NonNullable<Administered["outcome"]>;
type Done = Exclude<Outcome, { $case: "refused" }>;

type End =
  | { readonly kind: "done"; readonly outcome: Done }
  | { readonly kind: "refused"; readonly refused: AdministerRefused; readonly mayBeDone: boolean }
  | { readonly kind: "unknown" };

/** Between two tries while the leader is busy, it may be with the first of them. */
const BUSY_PAUSE_MS = 250;

/** What the leader answered; null: it is fulfilled, by a sending whose answer was lost. */
export async function administer(
  quorum: Quorum,
  wish: Wish,
  call: Call,
  leftMs: TimeLeft = timeLeft(call),
): Promise<Done | null> {
  const end = await ask(quorum, wish.action, call, leftMs);
  if (end.kind === "done") return end.outcome;
  if (end.kind === "unknown") throw outcomeUnknown(wish.whatHappened, wish.advice, wish.metadata);
  if (end.mayBeDone && wish.isFulfilled !== undefined) {
    if (wish.isFulfilled(await readCluster(quorum, call, leftMs))) return null;
  }
  throw administerRefused(end.refused, wish.action);
}

export async function readCluster(
  quorum: Quorum,
  call: Call,
  leftMs?: TimeLeft,
): Promise<GetClusterResponse> {
  const question = { read: { $case: "cluster", value: {} } } as const;
  const { cluster } = await read(quorum, question, call, leftMs);
  if (cluster === undefined) throw new Error("a read of the cluster answered without one");
  return cluster;
}

async function ask(
  quorum: Quorum,
  action: AdministerAction,
  call: Call,
  leftMs: TimeLeft,
): Promise<End> {
  const { traceparent, signal } = call;
  let mayBeDone = false;
  for (;;) {
    // A leader that is there may take all the time: snapshots of large ledgers do.
    const isLed = quorum.leader().leader !== null;
    const timeoutMs = isLed ? leftMs() : Math.min(leftMs(), LEADERLESS_MS);
    if (timeoutMs <= 0) break;
    const end = await quorum.administer(action, { timeoutMs, traceparent, signal });
    if (end.kind === "administered") {
      const { outcome } = end.outcome;
      mayBeDone ||= end.isRepeat;
      if (outcome === undefined) throw new Error("the leader's answer is of another version");
      if (outcome.$case !== "refused") return { kind: "done", outcome };
      const isOwnDoing = mayBeDone && outcome.value.reason === Reason.REASON_BUSY;
      if (!isOwnDoing) return { kind: "refused", refused: outcome.value, mayBeDone };
      await pause(call, leftMs, BUSY_PAUSE_MS);
      continue;
    }
    signal.throwIfAborted();
    if (end.kind === "unknown") mayBeDone = true;
    else if (!mayBeDone) throw unavailable(end);
    await pause(call, leftMs);
  }
  if (!mayBeDone) throw unavailable({ kind: "unavailable", reason: "no-leader" });
  return { kind: "unknown" };
}
