// How many jobs a second one SubmitJobs stream gets accepted, and how many end recorded.
//
// Guarantees: "accepted" counts answers of the stream, each of which means committed on a majority;
// "recorded" counts jobs that the ledger has ended, from the first submission to the last end. Both
// happen at the same time and share the machine. Recording is waited for within a bound; what has
// not ended by then is a failure of that row.

import { setTimeout as delay } from "node:timers/promises";
import { JobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import type { SubmitJobsRequest } from "../../protos/gen/quorumq/v1/job_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import { type Figure, rateFigure } from "./figure.ts";

const WINDOW = 512;
const RECORD_TIMEOUT_MS = 60_000;
/** Twenty small reads a second, of the leader's counters. */
const LOOK_MS = 50;
const CALL_TIMEOUT_MS = 30_000;

export interface ThroughputOptions {
  readonly connection: JobsConnection;
  readonly measureMs: number;
  /** Default: readings, without limits. */
  readonly specOf?: (number: number) => JobSpec;
  /** Behind the names of the figures. */
  readonly what?: string;
}

export async function measureThroughput(options: ThroughputOptions): Promise<Figure[]> {
  const { connection, measureMs, specOf, what = "" } = options;
  const before = await endedJobs(connection);
  const beganMs = performance.now();
  const submitted = await submitFor(measureMs, connection, specOf);
  const acceptedMs = performance.now() - beganMs;
  const { accepted, refused } = submitted;
  const wanted = before + accepted;
  let ended = await endedJobs(connection);
  const untilMs = performance.now() + RECORD_TIMEOUT_MS;
  while (ended < wanted && performance.now() < untilMs) {
    await delay(LOOK_MS);
    ended = await endedJobs(connection);
  }
  const recordedMs = performance.now() - beganMs;
  const recorded = ended - before;
  return [
    rateFigure(`SubmitJobs accepted, window ${WINDOW}${what}`, accepted, acceptedMs, refused),
    rateFigure(
      `SubmitJobs recorded, of the same${what}`,
      recorded,
      recordedMs,
      accepted - recorded,
    ),
  ];
}

export async function submitFor(
  measureMs: number,
  { jobs }: JobsConnection,
  specOf: (number: number) => JobSpec = readingSpec,
): Promise<{ accepted: number; refused: number }> {
  const window = new Window(WINDOW);
  const untilMs = performance.now() + measureMs;
  async function* requests(): AsyncGenerator<SubmitJobsRequest> {
    for (let number = 0; performance.now() < untilMs; number += 1) {
      await window.enter();
      yield { job: specOf(number) };
    }
  }
  let accepted = 0;
  let refused = 0;
  for await (const { error } of jobs.submitJobs(requests())) {
    window.leave();
    if (error === undefined) accepted += 1;
    else refused += 1;
  }
  return { accepted, refused };
}

/** At most so many items without an answer. */
class Window {
  #free: number;
  #wake = (): void => undefined;

  constructor(size: number) {
    this.#free = size;
  }

  async enter(): Promise<void> {
    while (this.#free === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#free -= 1;
  }

  leave(): void {
    this.#free += 1;
    this.#wake();
  }
}

async function endedJobs({ cluster }: JobsConnection): Promise<number> {
  const { counts } = await cluster.getCluster({}, { timeoutMs: CALL_TIMEOUT_MS });
  if (counts === undefined) throw new Error("the cluster tells no counts");
  return counts.succeeded + counts.failed + counts.cancelled;
}

/** Keyed by the gateway, as the item of a caller without a key of its own. */
export function readingSpec(number: number, idempotencyKey = ""): JobSpec {
  const reading = { deviceId: `d-${number % 1_000}`, at: number + 1, celsius: 21.5 };
  const payload = Buffer.from(JSON.stringify(reading));
  return JobSpec.fromPartial({ kind: "ingest-reading", payload, idempotencyKey });
}
