// What callers keep open at a door of the pipeline.

export interface OpenCounts {
  /** Calls without an answer yet, streams among them. */
  readonly calls: number;
  /** Those that wait for or watch a job. */
  readonly jobWaits: number;
  /** Requests in line for locks. */
  readonly lockWaits: number;
  readonly workers: number;
}
