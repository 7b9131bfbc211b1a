// Messages that may not leave before a write is durable.
//
// Guarantees: a message leaves only when the write it names, and so every earlier one, is on disk;
// messages leave in the order they were handed in among those that are free to go. Behind a disk
// that stands still they are bounded: the oldest are dropped, which Raft takes for a lost message.

import type { Message, NodeId } from "../raft/message.ts";
import { HELD_SENDS_MAX } from "./limit.ts";

interface HeldSend {
  readonly to: NodeId;
  readonly message: Message;
  readonly afterWriteId: number;
}

export class HeldSends {
  readonly #send: (to: NodeId, message: Message) => void;
  #held: HeldSend[] = [];
  #durableWriteId = 0;

  constructor(send: (to: NodeId, message: Message) => void) {
    this.#send = send;
  }

  send(to: NodeId, message: Message, afterWriteId: number): void {
    if (afterWriteId <= this.#durableWriteId) {
      this.#send(to, message);
      return;
    }
    if (this.#held.length >= HELD_SENDS_MAX) this.#held.shift();
    this.#held.push({ to, message, afterWriteId });
  }

  /** All writes up to and with this one are on disk. */
  durable(writeId: number): void {
    this.#durableWriteId = Math.max(this.#durableWriteId, writeId);
    const free = this.#held.filter((held) => held.afterWriteId <= this.#durableWriteId);
    if (free.length === 0) return;
    this.#held = this.#held.filter((held) => held.afterWriteId > this.#durableWriteId);
    for (const { to, message } of free) this.#send(to, message);
  }

  get length(): number {
    return this.#held.length;
  }
}
