// What tests ask of drivers in numbers, and what they were answered in a word.

import { crc32 } from "node:zlib";
import type { Ledger } from "../../ledger/ledger.ts";
import {
  type Answer,
  Refused_Reason,
  AdministerRefused_Reason as RefusedReason,
} from "../../protos/gen/node/v1/exchange.ts";
import { encodeSnapshot } from "../../transport/snapshot-codec.ts";
import { type DriverCluster, type Member, submission, submittedIds } from "./driver-cluster.ts";

const LARGE_BYTES = 200 * 1024;
const LARGE_PAYLOAD = Buffer.from(JSON.stringify("x".repeat(LARGE_BYTES)), "utf8");

/**
 * Jobs whose entries are large, one after the other, each answered before the next. On a machine
 * that is very busy the leader may change meanwhile: the one that leads at the end.
 */
export async function submitLarge(
  cluster: DriverCluster,
  leader: Member,
  count: number,
): Promise<Member> {
  let asked = leader;
  for (let left = count; left > 0; ) {
    const callId = cluster.propose(asked, submission(1, 0, LARGE_PAYLOAD));
    const answer = await cluster.answerTo(asked, callId);
    const outcome = outcomeOf(answer);
    if (submittedIds(answer) !== null) left -= 1;
    else if (outcome === "NOT_LEADER") asked = await cluster.leader();
    else throw new Error(`answered ${outcome}`);
  }
  return asked;
}

/**
 * Equal ledgers give equal ones. Not ledger/hash.ts, which is slow on large ledgers where Jest
 * stands between the code and `Math`.
 */
export function checksumOf(ledger: Ledger): number {
  let checksum = 0;
  for (const piece of encodeSnapshot(ledger)) checksum = crc32(piece, checksum);
  return checksum;
}

/** The outcome's kind, or why there is none, such as NODE_UNKNOWN or NOT_LEADER. */
export function outcomeOf(answer: Answer["answer"]): string {
  if (answer?.$case === "refused") return nameIn(Refused_Reason, answer.value.reason);
  if (answer?.$case !== "administered") return answer?.$case ?? "nothing";
  const { outcome } = answer.value;
  if (outcome?.$case === "refused") return nameIn(RefusedReason, outcome.value.reason);
  return outcome?.$case ?? "nothing";
}

function nameIn(reasons: Readonly<Record<string, number>>, reason: number): string {
  const [name = "?"] = Object.entries(reasons).find(([, value]) => value === reason) ?? [];
  return name.replace("REASON_", "");
}
