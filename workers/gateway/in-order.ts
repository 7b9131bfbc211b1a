// Work on a stream's items side by side, answers in the order of the items.
//
// Guarantees: never more items, nor more bytes of them by more than one item, are taken from the
// source ahead of the answers that have been fetched, so a slow reader or a slow quorum holds the
// source back. The first failure ends the stream after the answers before it.

export interface Ahead<I> {
  readonly itemsMax: number;
  readonly bytesMax: number;
  readonly bytesOf: (item: I) => number;
}

interface Inflight<O> {
  readonly bytes: number;
  readonly answer: Promise<O>;
  readonly settled: Promise<null>;
}

export async function* inOrder<I, O>(
  source: AsyncIterable<I>,
  ahead: Ahead<I>,
  work: (item: I) => Promise<O>,
): AsyncGenerator<O> {
  const items = source[Symbol.asyncIterator]();
  const inflight: Inflight<O>[] = [];
  let bytes = 0;
  let next: Promise<IteratorResult<I>> | null = handled(items.next());
  try {
    for (;;) {
      const head: Inflight<O> | undefined = inflight[0];
      const isFull = inflight.length >= ahead.itemsMax || bytes >= ahead.bytesMax;
      if (next !== null && !isFull) {
        const arrived = await (head === undefined ? next : Promise.race([head.settled, next]));
        if (arrived !== null) {
          if (arrived.done === true) next = null;
          else {
            const itemBytes = ahead.bytesOf(arrived.value);
            bytes += itemBytes;
            inflight.push(started(work(arrived.value), itemBytes));
            next = handled(items.next());
          }
          continue;
        }
      }
      if (head === undefined) return;
      yield await head.answer;
      inflight.shift();
      bytes -= head.bytes;
    }
  } finally {
    // Not awaited: a source that waits for its next item would keep the caller here.
    void Promise.resolve(items.return?.()).catch(() => undefined);
  }
}

function started<O>(answer: Promise<O>, bytes: number): Inflight<O> {
  const settled = answer.then(
    () => null,
    () => null,
  );
  return { bytes, answer, settled };
}

/** It is awaited later, or never if the stream ends before: then its failure matters to nobody. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
