// What clients saw: operations with the time they were called and the time they came back.
//
// Guarantees: intervals are closed, so operations that touch at one instant are concurrent (as in
// Porcupine); an operation of unknown outcome stays open for ever, and may never take effect.
// Does not own: the clock. Any will do that is one for all clients (virtual time, or the monotonic
// milliseconds of one process).

export interface Operation<Call, Outcome> {
  readonly client: string;
  readonly call: Call;
  readonly calledAt: number;
  /** Infinity when unknown. */
  readonly returnedAt: number;
  readonly outcome: Outcome | "unknown";
}

export type History<Call, Outcome> = readonly Operation<Call, Outcome>[];

/** Whether `one` had come back before `other` was called: any order must keep this. */
export function precedes(
  one: Operation<unknown, unknown>,
  other: Operation<unknown, unknown>,
): boolean {
  return one.outcome !== "unknown" && one.returnedAt < other.calledAt;
}

/**
 * Linearizability is local (Herlihy and Wing 1990): a history is linearizable if and only if its
 * operations on each object are. Parts are in the order of their first operations.
 */
export function partition<Call, Outcome>(
  history: History<Call, Outcome>,
  keyOf: (operation: Operation<Call, Outcome>) => string,
): Map<string, Operation<Call, Outcome>[]> {
  const parts = new Map<string, Operation<Call, Outcome>[]>();
  for (const operation of history) {
    const key = keyOf(operation);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [operation]);
    else part.push(operation);
  }
  return parts;
}

/**
 * A command that was sent more than once may be applied more than once, also after its answer: it
 * is as many operations, of which all but the answered one have an unknown outcome.
 */
export function withRepeats<Call, Outcome>(
  history: History<Call, Outcome>,
  mayRepeat: (operation: Operation<Call, Outcome>) => boolean,
): Operation<Call, Outcome>[] {
  return history.flatMap((operation): Operation<Call, Outcome>[] => {
    if (!mayRepeat(operation)) return [operation];
    const repeat = { ...operation, returnedAt: Number.POSITIVE_INFINITY, outcome: "unknown" };
    return [operation, repeat as Operation<Call, Outcome>];
  });
}
