// Work on a stream's items side by side, answers in the order of the items.
//
// Guarantees: never more than `inflightMax` items are taken from the source ahead of the answers
// that have been fetched, so a slow reader or a slow quorum holds the source back. The first
// failure ends the stream after the answers before it.

interface Inflight<O> {
  readonly answer: Promise<O>;
  readonly settled: Promise<null>;
}

export async function* inOrder<I, O>(
  source: AsyncIterable<I>,
  inflightMax: number,
  work: (item: I) => Promise<O>,
): AsyncGenerator<O> {
  const items = source[Symbol.asyncIterator]();
  const inflight: Inflight<O>[] = [];
  let next: Promise<IteratorResult<I>> | null = handled(items.next());
  try {
    for (;;) {
      const head: Inflight<O> | undefined = inflight[0];
      if (next !== null && inflight.length < inflightMax) {
        const arrived = await (head === undefined ? next : Promise.race([head.settled, next]));
        if (arrived !== null) {
          if (arrived.done === true) next = null;
          else {
            inflight.push(started(work(arrived.value)));
            next = handled(items.next());
          }
          continue;
        }
      }
      if (head === undefined) return;
      yield await head.answer;
      inflight.shift();
    }
  } finally {
    // Not awaited: a source that waits for its next item would keep the caller here.
    void Promise.resolve(items.return?.()).catch(() => undefined);
  }
}

function started<O>(answer: Promise<O>): Inflight<O> {
  const settled = answer.then(
    () => null,
    () => null,
  );
  return { answer, settled };
}

/** It is awaited later, or never if the stream ends before: then its failure matters to nobody. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
