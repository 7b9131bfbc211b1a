// Callers that each wait for their answer before they call again: a closed loop.
//
// Guarantees: exactly `inFlight` calls are open until the end; only calls that began after the
// warm-up count, and of each caller at least one does, however long that takes; a call that fails
// is counted, and is no sample.
// Does not own: what is called. A closed loop slows down together with what it measures, so a
// stall is one long sample per caller, not the many that independent users would have had.

export interface ClosedLoopOptions {
  readonly inFlight: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** `number` differs from call to call. */
  readonly call: (number: number) => Promise<unknown>;
}

export interface ClosedLoopOutcome {
  readonly samplesMs: readonly number[];
  readonly failures: number;
  /** From the end of the warm-up to the last answer. */
  readonly elapsedMs: number;
}

/** A failing callee must not be hammered. */
const PAUSE_AFTER_FAILURE_MS = 20;

export async function runClosedLoop(options: ClosedLoopOptions): Promise<ClosedLoopOutcome> {
  const measureFromMs = performance.now() + options.warmUpMs;
  const endMs = measureFromMs + options.measureMs;
  const samplesMs: number[] = [];
  let failures = 0;
  let calls = 0;
  const caller = async (): Promise<void> => {
    for (let counted = 0; ; ) {
      const beganMs = performance.now();
      if (beganMs >= endMs && counted > 0) return;
      if (beganMs >= measureFromMs) counted += 1;
      calls += 1;
      try {
        await options.call(calls);
        if (beganMs >= measureFromMs) samplesMs.push(performance.now() - beganMs);
      } catch {
        // Counted: the report says how many.
        failures += 1;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_FAILURE_MS));
      }
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, caller));
  return { samplesMs, failures, elapsedMs: performance.now() - measureFromMs };
}
