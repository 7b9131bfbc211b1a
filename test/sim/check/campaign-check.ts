// How nodes come to campaign, and whom they help.
//
// Guarantees: I25 a term rises only when a quorum has said that it would follow, or when the leader
// hands over (PreVote); I26 who has heard its leader within the shortest election timeout, and no
// hint that it is gone, grants nothing (stickiness). Both are no matter of safety: without them a
// single node with a bad link deposes leaders for ever.
// Does not own: who is elected (election-check.ts).

import type { Configuration } from "../../../raft/configuration.ts";
import type { Effect } from "../../../raft/effect.ts";
import type { Input } from "../../../raft/input.ts";
import type { Message, NodeId, Term } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import { demand } from "../violation.ts";
import { isQuorum, textOf } from "./configuration-record.ts";

interface Campaigner {
  /** Who has said that it would vote, while this node was in `term`. */
  term: Term;
  readonly promised: Set<NodeId>;
  /** By its own clock; -Infinity: not since its term rose, or a hint says that it is gone. */
  leaderHeardMs: number;
}

export class CampaignCheck {
  readonly #campaigners = new WeakMap<Life, Campaigner>();

  /** `before` is the term, `current` the configuration in which the step began. */
  stepped(
    life: Life,
    input: Input,
    effects: readonly Effect[],
    before: Term,
    current: Configuration,
  ): void {
    const campaigner = this.#of(life, before);
    const { node } = life;
    if (input.kind === "received") {
      this.#notePromise(campaigner, input.from, input.message);
      if (input.message.kind === "request-vote") {
        checkStickiness(life, campaigner, input.nowMs, input.message.transfer, effects);
      }
    }
    if (node.currentTerm > before) {
      const isAsked = input.kind === "received" && input.message.kind === "timeout-now";
      if (node.role === "candidate" && !isAsked) checkPromises(life, campaigner, current);
      campaigner.leaderHeardMs = Number.NEGATIVE_INFINITY;
    }
    if (input.kind === "unreachable" && input.peer === node.leader) {
      campaigner.leaderHeardMs = Number.NEGATIVE_INFINITY;
    }
    if (input.kind === "received" && isFollowed(life, input.from, input.message)) {
      campaigner.leaderHeardMs = input.nowMs;
    }
  }

  #of(life: Life, term: Term): Campaigner {
    let campaigner = this.#campaigners.get(life);
    if (campaigner === undefined) {
      campaigner = { term, promised: new Set(), leaderHeardMs: Number.NEGATIVE_INFINITY };
      this.#campaigners.set(life, campaigner);
    }
    if (campaigner.term !== term) {
      campaigner.term = term;
      campaigner.promised.clear();
    }
    return campaigner;
  }

  #notePromise({ term, promised }: Campaigner, from: NodeId, message: Message): void {
    if (message.kind !== "request-vote-result" || message.term !== term) return;
    if (message.preVote && message.voteGranted) promised.add(from);
  }
}

function checkPromises({ id, node }: Life, { promised }: Campaigner, current: Configuration): void {
  const isPromised = isQuorum(current, (voter) => voter === id || promised.has(voter));
  demand(isPromised, "I25 pre-vote", () => {
    const names = [...promised].join(" ");
    return `${id} campaigns in term ${node.currentTerm} of ${textOf(current)}, promised: ${names}`;
  });
}

function checkStickiness(
  { id, node }: Life,
  { leaderHeardMs }: Campaigner,
  nowMs: number,
  isTransfer: boolean,
  effects: readonly Effect[],
): void {
  const sinceMs = nowMs - leaderHeardMs;
  if (isTransfer || sinceMs >= node.options.electionTimeoutMs.min) return;
  const isGranted = effects.some(
    (effect) =>
      effect.kind === "send" &&
      effect.message.kind === "request-vote-result" &&
      effect.message.voteGranted,
  );
  demand(!isGranted, "I26 stickiness", `${id} grants ${sinceMs} ms after it heard its leader`);
}

function isFollowed({ node }: Life, from: NodeId, message: Message): boolean {
  const isLeaders = message.kind === "append-entries" || message.kind === "install-snapshot";
  return isLeaders && node.leader === from && message.term === node.currentTerm;
}
