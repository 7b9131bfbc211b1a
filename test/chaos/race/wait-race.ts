// Waits and watches around very short jobs: opened before the job runs, while it does, and when it
// has long ended, through any door, and left and resumed at another.
//
// Guarantees: what is counted is what callers saw. A call that is not answered in its time hung; a
// watch that ends without the end of the job missed it; an index that did not rise is a repetition.

import { setTimeout as delay } from "node:timers/promises";
import type { JobSpec } from "../../../protos/gen/quorumq/v1/job.ts";
import { Dice } from "../dice.ts";
import type { Door, Seen } from "./door.ts";

const OPENED = ["before", "during", "after"] as const;
const CALLS = ["wait", "watch", "resumed watch"] as const;
/** Before: the job runs only when the call has had time to be opened. */
const AHEAD_MS_MAX = 60;

export interface WaitRaceOptions {
  readonly doors: readonly Door[];
  readonly count: number;
  readonly inflightMax: number;
  readonly seed: number;
  readonly timeoutMs: number;
  /** A job that takes about a millisecond and succeeds. */
  readonly specOf: (number: number) => JobSpec;
}

export interface WaitRaceReport {
  /** Of each way, such as "before, watch". */
  readonly calls: Readonly<Record<string, number>>;
  readonly changesSeen: number;
  /** A line for each call that went wrong. */
  readonly failures: readonly string[];
}

export async function raceWaits(options: WaitRaceOptions): Promise<WaitRaceReport> {
  const race = new WaitRace(options);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < options.count) await race.run(next++);
  };
  await Promise.all(Array.from({ length: options.inflightMax }, lane));
  return { calls: race.calls, changesSeen: race.changesSeen, failures: race.failures };
}

class WaitRace {
  readonly calls: Record<string, number> = {};
  readonly failures: string[] = [];
  changesSeen = 0;
  readonly #options: WaitRaceOptions;
  readonly #dice: Dice;

  constructor(options: WaitRaceOptions) {
    this.#options = options;
    this.#dice = new Dice(options.seed);
  }

  /** Never rejects. */
  async run(number: number): Promise<void> {
    const [opened, call] = [this.#dice.from(OPENED), this.#dice.from(CALLS)];
    const way = `${opened}, ${call}`;
    this.calls[way] = (this.calls[way] ?? 0) + 1;
    try {
      const jobId = await this.#submit(number, opened === "before");
      if (opened === "after") await this.#door().wait(jobId, this.#options.timeoutMs);
      if (call === "wait") await this.#wait(jobId, way);
      else await this.#watch(jobId, way, call === "resumed watch");
    } catch (thrown) {
      // A deadline that has passed is a call that hung.
      this.failures.push(`${way}: ${String(thrown)}`);
    }
  }

  #door(): Door {
    return this.#dice.from(this.#options.doors);
  }

  async #submit(number: number, isAhead: boolean): Promise<string> {
    const spec = this.#options.specOf(number);
    const aheadMs = this.#dice.below(AHEAD_MS_MAX);
    if (!isAhead) await delay(aheadMs / 10);
    // The HTTP door has no run_at in its short form: only gateways are asked for it.
    const doors = this.#options.doors.filter(({ name }) => !isAhead || name.startsWith("gateway"));
    const runAt = isAhead ? new Date(Date.now() + aheadMs) : undefined;
    const { jobId } = await this.#dice.from(doors).submit({ ...spec, runAt });
    return jobId;
  }

  async #wait(jobId: string, way: string): Promise<void> {
    const job = await this.#door().wait(jobId, this.#options.timeoutMs);
    this.#check(way, jobId, [job]);
  }

  async #watch(jobId: string, way: string, isResumed: boolean): Promise<void> {
    const { timeoutMs } = this.#options;
    const seen: Seen[] = [];
    for await (const job of this.#door().watch(jobId, 0, timeoutMs)) {
      seen.push(job);
      if (isResumed) break;
    }
    if (isResumed) {
      const lastIndex = seen.at(-1)?.changeIndex ?? 0;
      for await (const job of this.#door().watch(jobId, lastIndex, timeoutMs)) seen.push(job);
    }
    this.#check(way, jobId, seen);
  }

  #check(way: string, jobId: string, seen: readonly Seen[]): void {
    this.changesSeen += seen.length;
    const told = (what: string): void => {
      const line = seen.map(({ state, changeIndex }) => `${state}@${changeIndex}`).join(" ");
      this.failures.push(`${way}: ${jobId} ${what}: ${line}`);
    };
    if (seen.some(({ id }) => id !== jobId)) told("was another job");
    if (seen.at(-1)?.state !== "JOB_STATE_SUCCEEDED") told("missed the end");
    const rises = seen.every(
      (job, at) => at === 0 || job.changeIndex > (seen[at - 1]?.changeIndex ?? 0),
    );
    if (!rises) told("repeated a change");
  }
}
