// The smallest thing that runs jobs: starts what is queued and reports what its handler returns, by
// proposing, as a worker does. No BullMQ, no Redis, no leases to renew.

import type { JobError } from "../../ledger/job.ts";
import type { Quorum } from "../../transport/quorum.ts";

export type TinyOutcome = { readonly result: unknown } | { readonly error: JobError };
export type TinyHandler = (input: unknown, jobId: string) => TinyOutcome | Promise<TinyOutcome>;

export interface TinyExecutor {
  /** Jobs that have been started. */
  readonly started: readonly string[];
  stop(): void;
}

const OPTIONS = { timeoutMs: 5_000, traceparent: "" };
const WORKER = "tiny";

export async function runTinyExecutor(
  quorum: Quorum,
  handlers: Readonly<Record<string, TinyHandler>>,
): Promise<TinyExecutor> {
  await registerKinds(quorum, Object.keys(handlers));
  const started: string[] = [];
  const run = async (jobId: string, handler: TinyHandler): Promise<void> => {
    const startId = `${jobId}.${started.push(jobId)}`;
    const start = await quorum.propose(
      { kind: "start-attempt", jobId, worker: WORKER, startId, leaseMs: 60_000 },
      OPTIONS,
    );
    if (start.kind !== "applied" || start.applied.result?.$case !== "started") return;
    const { token, payload } = start.applied.result.value;
    const input: unknown = payload.byteLength === 0 ? null : JSON.parse(payload.toString("utf8"));
    const outcome = await handler(input, jobId);
    const common = { kind: "finish-attempt", jobId, token, worker: WORKER } as const;
    await quorum.propose(
      "result" in outcome
        ? {
            ...common,
            outcome: "succeeded",
            result: Buffer.from(JSON.stringify(outcome.result), "utf8"),
            error: null,
          }
        : { ...common, outcome: "failed", result: null, error: outcome.error },
      OPTIONS,
    );
  };
  const stop = quorum.onEvent(({ event, jobId, kind }) => {
    const handler = handlers[kind];
    if (event === "queued" && handler !== undefined) void run(jobId, handler);
  });
  return { started, stop };
}

/** Makes the kinds known with one attempt each, as a worker that has gone since would have. */
export async function registerKinds(quorum: Quorum, kinds: readonly string[]): Promise<void> {
  await quorum.propose(
    {
      kind: "register-kinds",
      kinds: kinds.map((kind) => ({
        kind,
        queue: "default",
        maxAttempts: 1,
        backoff: { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 },
        attemptTimeoutMs: 0,
        totalTimeoutMs: 0,
        lockTemplates: [],
        concurrencyTemplates: [],
      })),
    },
    OPTIONS,
  );
}
