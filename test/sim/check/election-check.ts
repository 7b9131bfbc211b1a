// Votes and leaders, over the whole history of a run.
//
// Guarantees: I1 at most one leader a term; I4 a leader has all that was ever committed; I8 and I9
// one vote a member and term, durable before it is told; I12 a leader has a quorum of voters that
// were really delivered to it, each once, learners and strangers not counted.

import type { Message, NodeId, Term } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Store } from "../store.ts";
import { demand } from "../violation.ts";
import type { CommittedHistory } from "./committed-history.ts";
import { type ConfigurationRecord, isQuorum, textOf } from "./configuration-record.ts";

export class ElectionCheck {
  readonly #leaders = new Map<Term, NodeId>();
  /** "term member" to the candidate. */
  readonly #votes = new Map<string, NodeId>();
  /** The highest term that each member has told anybody. */
  readonly #told = new Map<NodeId, Term>();
  readonly #history: CommittedHistory;

  constructor(history: CommittedHistory) {
    this.#history = history;
  }

  leaderOf(term: Term): NodeId | undefined {
    return this.#leaders.get(term);
  }

  started({ id, node }: Life, { hardState }: Store): void {
    const told = this.#told.get(id) ?? 0;
    demand(
      node.currentTerm >= told,
      "I8 term-falls",
      `${id} told ${told}, has ${node.currentTerm}`,
    );
    const { currentTerm, votedFor } = hardState;
    const voted = this.#votes.get(`${currentTerm} ${id}`);
    const isKept = voted === undefined || voted === votedFor;
    demand(isKept, "I8 vote-forgotten", `${id} voted for ${voted} in term ${currentTerm}`);
  }

  /** A grant comes to the node that asked. */
  delivered(life: Life, from: NodeId, message: Message): void {
    if (message.kind !== "request-vote-result") return;
    if (!message.voteGranted || message.preVote) return;
    const { record } = life;
    // Late ones of an earlier campaign are no votes of this one.
    if (message.term < record.grantsTerm) return;
    if (record.grantsTerm !== message.term) {
      record.grantsTerm = message.term;
      record.grants.clear();
    }
    record.grants.add(from);
  }

  elected(life: Life, record: ConfigurationRecord, store: Store): void {
    const { id, node } = life;
    const { currentTerm: term, log } = node;
    const known = this.#leaders.get(term);
    demand(known === undefined || known === id, "I1 election-safety", `${known}, ${id} in ${term}`);
    this.#leaders.set(term, id);
    // A node that was stalled may win an old term late: it owes what was committed before that one.
    const length = this.#history.lengthBefore(term);
    const lastTerm = this.#history.termAt(length);
    const isComplete = log.offset.index > length || log.termAt(length) === lastTerm;
    demand(isComplete, "I4 leader-completeness", () => {
      return `${id} leads term ${term} with ${log.lastIndex} entries, ${length} are committed`;
    });
    const { grants, grantsTerm } = life.record;
    const { currentTerm, votedFor } = store.hardState;
    const hasOwn = currentTerm === term && votedFor === id;
    const isElected = isQuorum(record.current, (voter) =>
      voter === id ? hasOwn : grantsTerm === term && grants.has(voter),
    );
    demand(isElected, "I12 election-quorum", () => {
      return `${id} leads term ${term} of ${textOf(record.current)} by ${[...grants].join(" ")}`;
    });
  }

  /** The message leaves: all that it says must be on the disk. */
  released(life: Life, store: Store, to: NodeId, message: Message): void {
    const { id } = life;
    const { term } = message;
    if (!isQuestion(message)) {
      if (term > (this.#told.get(id) ?? 0)) this.#told.set(id, term);
      demand(store.hardState.currentTerm >= term, "I9 term-durable", () => {
        return `${id} tells term ${term} of a disk in ${store.hardState.currentTerm}`;
      });
    }
    if (message.kind === "request-vote" && !message.preVote) this.#voted(store, term, id);
    if (message.kind !== "request-vote-result") return;
    if (message.voteGranted && !message.preVote) this.#voted(store, term, to);
  }

  #voted({ id, hardState }: Store, term: Term, candidate: NodeId): void {
    const { currentTerm, votedFor } = hardState;
    const isDurable = currentTerm > term || (currentTerm === term && votedFor === candidate);
    demand(isDurable, "I9 vote-durable", `${id} votes for ${candidate} in term ${term}`);
    const key = `${term} ${id}`;
    const earlier = this.#votes.get(key);
    const isOnly = earlier === undefined || earlier === candidate;
    demand(isOnly, "I8 one-vote", `${id} votes for ${earlier} and ${candidate} in ${term}`);
    this.#votes.set(key, candidate);
  }
}

/** Nobody relies on the term of a question that changes nothing, nor on that of bytes. */
function isQuestion({ kind }: Message): boolean {
  return kind === "read-index" || kind === "snapshot-request" || kind === "snapshot-chunk";
}
