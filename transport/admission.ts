// What a node does with a call that came in: take it, or say at once that nothing happened.
//
// Guarantees: decided from the call and the node's role alone, before anything is changed. What
// could stop a replica, or could not be carried to one, is refused here and never enters the log.
// Does not own: answering (driver.ts) nor what a command may say (command-check.ts).

import type { CommandBody } from "../ledger/command.ts";
import {
  type Administer,
  type Call,
  type Read,
  Refused_Reason,
} from "../protos/gen/node/v1/exchange.ts";
import { checkCommand } from "./command-check.ts";
import { encodeCommand } from "./command-codec.ts";
import * as limit from "./limit.ts";

export type Admission =
  /** Its caller has stopped waiting: not even a refusal is of use. */
  | { readonly kind: "late" }
  | { readonly kind: "refused"; readonly reason: Refused_Reason }
  | { readonly kind: "read"; readonly read: Read }
  | { readonly kind: "administer"; readonly action: Administer["action"] }
  /** `command` names its kind; `data` is the entry's. */
  | { readonly kind: "proposal"; readonly command: string; readonly data: Uint8Array };

export interface Admitting {
  readonly isLeader: boolean;
  /** A follower serves reads of the ledger too: it asks its leader how far to have applied. */
  readonly hasLeader: boolean;
  /** Calls taken and not answered. */
  readonly openCount: number;
  /** The time to stamp a command with, Unix milliseconds. */
  readonly stampMs: () => number;
}

const refused = (reason: Refused_Reason): Admission => ({ kind: "refused", reason });

export function admit(call: Call, admitting: Admitting): Admission {
  const { isLeader, hasLeader, openCount, stampMs } = admitting;
  if (call.deadlineMs !== 0 && call.deadlineMs < Date.now()) return { kind: "late" };
  const isServed = isLeader || (hasLeader && isReadOfLedger(call));
  if (!isServed) return refused(Refused_Reason.REASON_NOT_LEADER);
  if (openCount >= limit.UNCOMMITTED_ENTRIES_MAX) return refused(Refused_Reason.REASON_OVERLOADED);
  if (call.call?.$case === "administer") {
    return { kind: "administer", action: call.call.value.action };
  }
  if (call.call?.$case === "read" && call.call.value.read !== undefined) {
    return { kind: "read", read: call.call.value };
  }
  if (call.call?.$case !== "propose") return refused(Refused_Reason.REASON_MALFORMED);
  const checked = checkCommand(call.call.value);
  // A poison entry is refused here: once committed, every replica would have to live with it.
  if ("malformed" in checked) return refused(Refused_Reason.REASON_MALFORMED);
  const data = stamped(checked.ok, stampMs());
  // No message could carry it: a leader that appended it would never commit anything again.
  if (data.byteLength > limit.COMMAND_BYTES_MAX) return refused(Refused_Reason.REASON_MALFORMED);
  return { kind: "proposal", command: checked.ok.kind, data };
}

/** The cluster and the log are told as their leader sees them. */
function isReadOfLedger({ call }: Call): boolean {
  if (call?.$case !== "read") return false;
  const kind = call.value.read?.$case;
  const kinds = ["jobs", "list", "queues", "schedule", "schedules"];
  return kind !== undefined && kinds.includes(kind);
}

/** The entry's bytes: the command with the leader's time and a fresh random number. */
export function stamped(body: CommandBody, timeMs: number): Uint8Array {
  return encodeCommand({ timeMs, random: Math.floor(Math.random() * 2 ** 32), body });
}
