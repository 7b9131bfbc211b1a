// The port to gateways and workers, as a node sees it: calls come in, answers, the leader's
// beacon and events of jobs and locks go out.
//
// Guarantees asked of an adapter: malformed calls are answered or dropped and counted, never
// thrown; answers of one turn of the event loop to one client leave as one message.

import type { Answer, Call } from "../protos/gen/node/v1/exchange.ts";
import type { QuorumEvent } from "./lock-event.ts";

export interface ClientMailbox {
  answer(replyTo: string, answer: Answer): void;
  /** Tell all clients who leads. Sent at once at each change, and repeated by the leader. */
  announce(term: number): void;
  publishEvents(events: readonly QuorumEvent[]): void;
  dropped(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface ClientMailboxListener {
  called(replyTo: string, calls: readonly Call[]): void;
}
