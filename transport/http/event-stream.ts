// A stream of answers as server-sent events.
//
// Guarantees: a comment at least every HEARTBEAT_MS, so that a connection that is dead is noticed
// on both sides; a failure is an event of its own, after which the stream ends. Who leaves the
// texts leaves the answers.
// Does not own: what the answers are.

import { setTimeout as delay } from "node:timers/promises";

export interface ServerSentEvent {
  readonly name: string;
  readonly id: string;
  readonly data: string;
}

export const HEARTBEAT_MS = 15_000;
/** What the caller waits before it connects again. */
const RECONNECT_MS = 1_000;

export interface EventSourceParts {
  /** The first of the answers, which has been asked for. */
  readonly first: Promise<IteratorResult<ServerSentEvent>>;
  readonly rest: AsyncIterator<ServerSentEvent>;
  /** What the caller is told of a failure, as JSON. */
  readonly failed: (thrown: unknown) => string;
  readonly ended: () => void;
  /** The caller has gone before the end. */
  readonly left: () => void;
  /** Default HEARTBEAT_MS. */
  readonly heartbeatMs?: number;
}

export async function* eventTexts({
  first,
  rest,
  failed,
  ended,
  left,
  heartbeatMs = HEARTBEAT_MS,
}: EventSourceParts): AsyncGenerator<string> {
  let next = first;
  let isSettled = false;
  try {
    yield `retry: ${RECONNECT_MS}\n\n`;
    for (;;) {
      const arrived = await within(next, heartbeatMs);
      if (arrived === null) {
        yield ": still here\n\n";
        continue;
      }
      if (arrived.done === true) break;
      yield textOf(arrived.value);
      next = rest.next();
    }
    isSettled = true;
    ended();
  } catch (thrown) {
    isSettled = true;
    yield textOf({ name: "failure", id: "", data: failed(thrown) });
  } finally {
    if (!isSettled) left();
    await rest.return?.();
  }
}

/** null: not yet. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const waiting = new AbortController();
  const tired = delay(ms, null, { signal: waiting.signal });
  try {
    return await Promise.race([promise, tired]);
  } finally {
    waiting.abort();
    // The abort rejects it, and nobody waits for it any more.
    tired.catch(() => undefined);
  }
}

/** JSON has no raw line breaks, so the data is one line. */
function textOf({ name, id, data }: ServerSentEvent): string {
  return `event: ${name}\n${id === "" ? "" : `id: ${id}\n`}data: ${data}\n\n`;
}
