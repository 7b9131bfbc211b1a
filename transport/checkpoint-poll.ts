// Gathers what every member's ledger is at one entry, for those who asked to have them compared.
//
// Guarantees: each caller is answered once: when all members have said what they have, or after
// POLL_TIMEOUT_MS with those that have not left open. Who could not build its ledger anew is left
// open as well, and what it has not counts for nothing.
// Does not own: who built what (checkpoint-desk.ts), nor the clock.

import type { Administered } from "../protos/gen/node/v1/exchange.ts";
import type { LogIndex, NodeId } from "../raft/message.ts";
import type { Caller } from "./administer-reply.ts";
import type { Checkpoint } from "./hello.ts";
import { nameOf } from "./member-id.ts";

/** To build a large ledger anew takes its time. */
export const POLL_TIMEOUT_MS = 50_000;

interface Poll {
  readonly index: LogIndex;
  readonly members: readonly NodeId[];
  readonly callers: readonly Caller[];
  readonly hashes: Map<NodeId, string>;
  readonly deadlineMs: number;
}

type Done = (caller: Caller, outcome: Administered["outcome"]) => void;

export class CheckpointPoll {
  readonly #done: Done;
  #polls: Poll[] = [];

  constructor(done: Done) {
    this.#done = done;
  }

  /** The checkpoint that they asked for is applied. */
  begin(
    index: LogIndex,
    members: readonly NodeId[],
    callers: readonly Caller[],
    nowMs: number,
  ): void {
    const deadlineMs = nowMs + POLL_TIMEOUT_MS;
    this.#polls.push({ index, members, callers, hashes: new Map(), deadlineMs });
  }

  heard(from: NodeId, { index, hash }: Checkpoint): void {
    const poll = this.#polls.find((one) => one.index === index);
    if (poll === undefined || !poll.members.includes(from)) return;
    poll.hashes.set(from, hash);
    if (poll.hashes.size === poll.members.length) this.#end(poll);
  }

  tick(nowMs: number): void {
    for (const poll of this.#polls) if (poll.deadlineMs <= nowMs) this.#end(poll);
  }

  /** Who has not been answered. */
  giveUp(): Caller[] {
    const callers = this.#polls.flatMap((poll) => poll.callers);
    this.#polls = [];
    return callers;
  }

  #end(poll: Poll): void {
    this.#polls = this.#polls.filter((one) => one !== poll);
    const { index, hashes, members, callers } = poll;
    const nodes = members
      .map((id) => ({ nodeId: nameOf(id), hash: bytesOf(hashes.get(id) ?? "") }))
      .sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
    const hash = bytesOf(mostCommon([...hashes.values()].filter((one) => one !== "")));
    for (const caller of callers) {
      this.#done(caller, { $case: "verifyLedger", value: { index, hash, nodes } });
    }
  }
}

function bytesOf(hash: string): Buffer {
  return Buffer.from(hash, "hex");
}

function mostCommon(hashes: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const hash of hashes) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  const [most] = [...counts].sort(([, one], [, other]) => other - one);
  return most?.[0] ?? "";
}
