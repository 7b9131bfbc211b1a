// What a leader may still do.
//
// Guarantees: I27 a leader that no quorum has answered for the longest election timeout leads no
// more after its next tick (CheckQuorum); I29 one whose removal is committed leads no more; I11 a
// change of membership begins only when an entry of the leader's own term is committed (Ongaro's
// correction of 2015: what goes wrong else needs two leaders and is seldom seen); I20 what it holds
// uncommitted, and what is out to one peer, stays within its limits.
// Does not own: what it commits (commit-check.ts).

import type { Configuration } from "../../../raft/configuration.ts";
import type { Effect } from "../../../raft/effect.ts";
import type { Input } from "../../../raft/input.ts";
import { EntryKind, type NodeId, type Term } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import { demand } from "../violation.ts";
import { type ConfigurationRecord, isQuorum } from "./configuration-record.ts";

interface Leadership {
  readonly term: Term;
  /** Since when those who have not answered are waited for: the election, or the last change. */
  sinceMs: number;
  configuration: Configuration;
  readonly heardMs: Map<NodeId, number>;
}

export class LeadershipCheck {
  readonly #leaderships = new WeakMap<Life, Leadership>();

  stepped(life: Life, input: Input, effects: readonly Effect[], record: ConfigurationRecord): void {
    const { node, id } = life;
    if (node.role !== "leader") return;
    const { currentTerm: term } = node;
    let leadership = this.#leaderships.get(life);
    if (leadership?.term !== term) {
      const { current: configuration } = record;
      leadership = { term, sinceMs: input.nowMs, configuration, heardMs: new Map() };
      this.#leaderships.set(life, leadership);
    }
    if (leadership.configuration !== record.current) {
      leadership.configuration = record.current;
      leadership.sinceMs = input.nowMs;
    }
    if (input.kind === "received") leadership.heardMs.set(input.from, input.nowMs);
    if (input.kind === "tick") checkQuorum(life, leadership, input.nowMs);
    checkChange(life, effects);
    checkBounds(life);
    const isOut = !record.current.voters.includes(id) && !record.current.outgoing.includes(id);
    const isRemoved = isOut && record.currentIndex <= node.commitIndex;
    demand(!isRemoved, "I29 removed-leads", `${id} leads on, its removal is committed`);
  }
}

function checkQuorum({ id, node }: Life, leadership: Leadership, nowMs: number): void {
  const { configuration, heardMs, sinceMs } = leadership;
  const { max } = node.options.electionTimeoutMs;
  const isHeard = isQuorum(configuration, (voter) => {
    return voter === id || nowMs - Math.max(heardMs.get(voter) ?? 0, sinceMs) < max;
  });
  demand(isHeard, "I27 check-quorum", `${id} leads, and no quorum has answered for ${max} ms`);
}

/** Beside the proposals: the no-op of the term, and configurations. */
const OWN_ENTRIES_MAX = 4;

function checkBounds({ id, node }: Life): void {
  const { leading, log, commitIndex, options } = node;
  if (leading === null) return;
  const { uncommittedEntriesMax, inflightMax } = options.limits;
  const open = log.lastIndex - Math.max(commitIndex, leading.termStartIndex);
  demand(open <= uncommittedEntriesMax + OWN_ENTRIES_MAX, "I20 uncommitted", `${id}: ${open}`);
  for (const [peer, { inflight }] of leading.peers) {
    demand(inflight.length <= inflightMax, "I20 in-flight", `${id} to ${peer}: ${inflight.length}`);
  }
}

/** Leaving a joint configuration is part of the change before. */
function checkChange({ id, node }: Life, effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.kind !== "persist") continue;
    for (const { kind, index, term } of effect.entries) {
      if (kind !== EntryKind.Configuration || term !== node.currentTerm) continue;
      const isOwn = node.log.termAt(node.commitIndex) === term;
      demand(isOwn, "I11 change-before-own-term", () => {
        return `${id} changes the members at ${index}, ${node.commitIndex} is committed`;
      });
    }
  }
}
