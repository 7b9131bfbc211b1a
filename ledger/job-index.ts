// Which jobs are in a state, of a kind, in a queue, of a schedule: so that a list looks at what
// matches only.
//
// Guarantees: follows from the jobs, and so is no state. A change of a job costs the same however
// many there are; a list costs the jobs that it gives, and a few microseconds for each 100,000 that
// it passes over, however rare the match.
// Does not own: when a job changes (change.ts, retention.ts).

import type { JobState } from "./job.ts";
import { commonBelow, NumberSet } from "./number-set.ts";
import type { JobRecord } from "./record.ts";

/** At least one of them. */
export interface Sought {
  /** null: any. */
  readonly state: JobState | null;
  /** "": any; so with queue. */
  readonly kind: string;
  readonly queue: string;
  readonly scheduleId: string;
}

const NONE = new NumberSet();

export class JobIndex {
  readonly #byState = new Map<string, NumberSet>();
  readonly #byKind = new Map<string, NumberSet>();
  readonly #byQueue = new Map<string, NumberSet>();
  /** Of those that a schedule made. */
  readonly #bySchedule = new Map<string, NumberSet>();

  add(job: JobRecord): void {
    add(this.#byState, job.state, job.number);
    add(this.#byKind, job.kind, job.number);
    add(this.#byQueue, job.queue, job.number);
    if (job.scheduleId !== "") add(this.#bySchedule, job.scheduleId, job.number);
  }

  /** Its state was another one. */
  moved(job: JobRecord, from: JobState): void {
    remove(this.#byState, from, job.number);
    add(this.#byState, job.state, job.number);
  }

  remove(job: JobRecord): void {
    remove(this.#byState, job.state, job.number);
    remove(this.#byKind, job.kind, job.number);
    remove(this.#byQueue, job.queue, job.number);
    if (job.scheduleId !== "") remove(this.#bySchedule, job.scheduleId, job.number);
  }

  /** Numbers of jobs, newest first, those before this one. */
  newest({ state, kind, queue, scheduleId }: Sought, before: number): Iterable<number> {
    const sets: NumberSet[] = [];
    if (state !== null) sets.push(this.#byState.get(state) ?? NONE);
    if (kind !== "") sets.push(this.#byKind.get(kind) ?? NONE);
    if (queue !== "") sets.push(this.#byQueue.get(queue) ?? NONE);
    if (scheduleId !== "") sets.push(this.#bySchedule.get(scheduleId) ?? NONE);
    return commonBelow(sets, before);
  }
}

function add(sets: Map<string, NumberSet>, name: string, number: number): void {
  let set = sets.get(name);
  if (set === undefined) {
    set = new NumberSet();
    sets.set(name, set);
  }
  set.add(number);
}

function remove(sets: Map<string, NumberSet>, name: string, number: number): void {
  const set = sets.get(name);
  set?.delete(number);
  if (set?.size === 0) sets.delete(name);
}
