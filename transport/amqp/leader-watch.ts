// Who leads, as a gateway or worker sees it: from the leader's beacon, and from what comes back.
//
// Guarantees: a view never outlives two seconds of silence; a beacon of an earlier term than one
// already heard is old and ignored while a leader is known; a node that said it does not lead is
// not asked again in that term. A wrong view costs a round trip, never a wrong answer.
// Does not own: what is sent to the leader (amqp-quorum.ts).

import type { Beacon } from "../call-codec.ts";
import type { LeaderView } from "../quorum.ts";

/** The leader repeats its beacon every 500 ms. */
const SILENCE_MS = 2_000;

export class LeaderWatch {
  readonly #changed: (view: LeaderView) => void;
  #node: string | null = null;
  #incarnation = 0;
  /** Of the view; the last known one when there is no leader. */
  #term = 0;
  /** Said that it does not lead in #term. */
  #refuser: string | null = null;
  #silenceTimer: NodeJS.Timeout | null = null;

  constructor(changed: (view: LeaderView) => void) {
    this.#changed = changed;
  }

  view(): LeaderView {
    return { leader: this.#node, term: this.#term };
  }

  heard({ node, incarnation, term }: Beacon): void {
    if (term === 0) {
      if (node === this.#node) this.#lose();
      return;
    }
    if (!this.#isNews(node, term)) return;
    this.#awaitSilence();
    this.#lead(node, incarnation, term);
  }

  /** The node answered that it does not lead. `hint`: who may, or "". */
  refusedBy(node: string, hint: string): void {
    if (this.#node !== node) return;
    this.#lose();
    this.#refuser = node;
    this.#awaitSilence();
    // Taken on the node's word, for this once: if it is wrong, only a beacon can tell better.
    if (hint !== "" && hint !== node) this.#lead(hint, 0, this.#term);
  }

  /** The node's mailbox is gone. It may still lead, with a mailbox on its way back. */
  lostMailboxOf(node: string): void {
    if (this.#node === node) this.#lose();
  }

  /** Nothing can be heard: the broker is away. */
  deafened(): void {
    this.#lose();
  }

  close(): void {
    if (this.#silenceTimer !== null) clearTimeout(this.#silenceTimer);
    this.#silenceTimer = null;
  }

  #isNews(node: string, term: number): boolean {
    if (term > this.#term) return true;
    // After a silence even terms may have begun anew: a cluster that was set up again.
    if (term < this.#term) return this.#node === null && this.#refuser === null;
    return node !== this.#refuser;
  }

  #lead(node: string, incarnation: number, term: number): void {
    if (term !== this.#term) this.#refuser = null;
    const isSame = node === this.#node && term === this.#term;
    // A hint knows no incarnation; the first beacon adds it.
    const isSameLife = this.#incarnation === 0 || incarnation === this.#incarnation;
    this.#node = node;
    this.#incarnation = incarnation;
    this.#term = term;
    if (!isSame || !isSameLife) this.#changed(this.view());
  }

  #lose(): void {
    this.close();
    if (this.#node === null) return;
    this.#node = null;
    this.#changed(this.view());
  }

  #awaitSilence(): void {
    if (this.#silenceTimer !== null) {
      this.#silenceTimer.refresh();
      return;
    }
    this.#silenceTimer = setTimeout(() => {
      this.#refuser = null;
      this.#lose();
    }, SILENCE_MS);
    this.#silenceTimer.unref();
  }
}
