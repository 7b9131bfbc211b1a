// The events that a client is sent from the topic exchange, handed to who listens for their sort.
//
// Guarantees: what cannot be read is told to nobody.

import { decodeJobEvent } from "../job-event.ts";
import { decodeLockEvent } from "../lock-event.ts";
import type { JobEvent, LockEvent } from "../quorum.ts";
import { Listeners } from "./listeners.ts";
import { lockRoutingKey } from "./topology.ts";

export class EventEar {
  readonly #jobListeners = new Listeners<JobEvent>();
  readonly #lockListeners = new Listeners<LockEvent>();

  onJob(listener: (event: JobEvent) => void): () => void {
    return this.#jobListeners.add(listener);
  }

  onLock(listener: (event: LockEvent) => void): () => void {
    return this.#lockListeners.add(listener);
  }

  /** False: it cannot be read. */
  heard(content: Uint8Array, routingKey: string): boolean {
    if (routingKey.startsWith(lockRoutingKey(""))) {
      const event = decodeLockEvent(content);
      if (event !== null) this.#lockListeners.tell(event);
      return event !== null;
    }
    const event = decodeJobEvent(content);
    if (event !== null) this.#jobListeners.tell(event);
    return event !== null;
  }
}
