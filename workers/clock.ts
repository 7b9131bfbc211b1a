// The time that a worker waits by: the machine's, or one that a test moves on (testing/).
//
// Guarantees: it never goes back; what is called off does not run.
// Does not own: the ledger's time, which its commands bring.

export interface Clock {
  /** Milliseconds since any moment. */
  nowMs(): number;
  /** Runs it once after this time. Returns the function that calls it off. */
  after(ms: number, run: () => void): () => void;
  /** Runs it each time this much time has passed. Returns the function that ends it. */
  every(ms: number, run: () => void): () => void;
}

export const MACHINE_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};
