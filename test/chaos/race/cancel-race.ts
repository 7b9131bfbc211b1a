// Cancelling racing completion: jobs of a few milliseconds, each cancelled at about the moment at
// which it ends.
//
// Guarantees: what is counted is what callers were told, what the ledger recorded, and the events
// that were published. Each job has exactly one end, which never changes, and the caller of the
// cancellation was told which: that it is cancelled, or how it had ended before.

import { setTimeout as delay } from "node:timers/promises";
import {
  AttemptOutcome,
  type Job,
  type JobSpec,
  JobState,
} from "../../../protos/gen/quorumq/v1/job.ts";
import type { JobsConnection } from "../../../transport/grpc/client.ts";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import type { Quorum } from "../../../transport/quorum.ts";
import { Dice } from "../dice.ts";

export interface CancelRaceOptions {
  readonly connection: JobsConnection;
  /** Follows the ends of jobs: their events. */
  readonly events: Pick<Quorum, "onEvent">;
  readonly count: number;
  readonly inflightMax: number;
  readonly seed: number;
  /** A job that takes a few milliseconds and succeeds. */
  readonly specOf: (number: number) => JobSpec;
}

export interface CancelRaceReport {
  readonly cancelled: number;
  readonly succeeded: number;
  /** Jobs of which some event told the end; the others' were missed, as events may be. */
  readonly endsSeen: number;
  readonly failures: readonly string[];
}

const CALL = { timeoutMs: 60_000 };
const ENDS = new Map<JobState, string>([
  [JobState.JOB_STATE_SUCCEEDED, "succeeded"],
  [JobState.JOB_STATE_CANCELLED, "cancelled"],
]);

export async function raceCancels(options: CancelRaceOptions): Promise<CancelRaceReport> {
  const race = new CancelRace(options);
  const forget = options.events.onEvent(({ jobId, event }) => race.ended(jobId, event));
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < options.count) await race.run(next++);
  };
  await Promise.all(Array.from({ length: options.inflightMax }, lane));
  await race.lookAgain();
  forget();
  return race.report();
}

class CancelRace {
  readonly #options: CancelRaceOptions;
  readonly #dice: Dice;
  readonly #ends = new Map<string, Job>();
  /** Job to the ends that events told. */
  readonly #events = new Map<string, Set<string>>();
  readonly #failures: string[] = [];
  /** Drawn from: hovers about the moment at which one half of the jobs has ended. */
  #delayMs = 20;

  constructor(options: CancelRaceOptions) {
    this.#options = options;
    this.#dice = new Dice(options.seed);
  }

  ended(jobId: string, event: string): void {
    if (event !== "succeeded" && event !== "failed" && event !== "cancelled") return;
    const known = this.#events.get(jobId) ?? new Set();
    this.#events.set(jobId, known.add(event));
  }

  /** Never rejects. */
  async run(number: number): Promise<void> {
    const { connection, specOf } = this.#options;
    try {
      const startMs = performance.now();
      const { jobId } = await connection.jobs.submitJob({ job: specOf(number) }, CALL);
      await delay(2 * this.#delayMs * this.#dice.next());
      const told = await this.#cancel(jobId);
      const { job } = await connection.jobs.waitJob({ jobId }, CALL);
      if (job === undefined) throw new Error(`${jobId} is not there`);
      this.#ends.set(jobId, job);
      this.#delayMs *= job.state === JobState.JOB_STATE_SUCCEEDED ? 0.97 : 1.03;
      if (told !== job.state) this.#fail(job, `its caller was told ${told}`);
      if (performance.now() - startMs > CALL.timeoutMs) this.#fail(job, "took too long");
    } catch (thrown) {
      this.#failures.push(String(thrown));
    }
  }

  /** The end that the caller is told. */
  async #cancel(jobId: string): Promise<JobState | undefined> {
    try {
      const { job } = await this.#options.connection.jobs.cancelJob({ jobId, reason: "" }, CALL);
      return job?.state;
    } catch (thrown) {
      if (!(thrown instanceof PipelineError) || thrown.reason !== "JOB_FINISHED") throw thrown;
      return JobState[`JOB_STATE_${thrown.metadata["state"]}` as keyof typeof JobState];
    }
  }

  /** When all is over: nothing has changed since, and nothing says two things. */
  async lookAgain(): Promise<void> {
    for (const [jobId, end] of this.#ends) {
      const { job } = await this.#options.connection.jobs.getJob({ jobId }, CALL);
      if (job === undefined) this.#fail(end, "is gone");
      else if (job.changeIndex !== end.changeIndex) this.#fail(job, "has changed after its end");
      else this.#check(job);
    }
  }

  #check(job: Job): void {
    const succeeded = job.attempts.filter(
      ({ outcome }) => outcome === AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
    );
    const isSuccess = job.state === JobState.JOB_STATE_SUCCEEDED;
    if (succeeded.length !== (isSuccess ? 1 : 0)) this.#fail(job, `${succeeded.length} successes`);
    if (job.result.byteLength > 0 !== isSuccess) this.#fail(job, "a result where none belongs");
    const events = [...(this.#events.get(job.id) ?? [])];
    const isTold = events.every((event) => event === ENDS.get(job.state));
    if (!isTold) this.#fail(job, `events told ${events.join(" and ")}`);
  }

  report(): CancelRaceReport {
    const states = [...this.#ends.values()].map(({ state }) => state);
    const count = (one: JobState): number => states.filter((state) => state === one).length;
    return {
      cancelled: count(JobState.JOB_STATE_CANCELLED),
      succeeded: count(JobState.JOB_STATE_SUCCEEDED),
      endsSeen: this.#events.size,
      failures: this.#failures,
    };
  }

  #fail({ id, state }: Job, what: string): void {
    this.#failures.push(`${id}, which is ${state}: ${what}`);
  }
}
