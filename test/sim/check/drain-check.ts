// Draining a queue: which jobs a committed drain has to cancel, and that none of them runs (I32).
//
// Guarantees: a drain cancels just those that waited when it began, first come first, as many as it
// was asked to, with their families as part of the number, and nobody else. It starts only when
// a caller has retried it.
// Does not own: what it is told (the book).

import type { Command } from "../../../ledger/command.ts";
import { isTerminal } from "../../../ledger/job.ts";
import type { Applied } from "../../../ledger/result.ts";
import type { Tally } from "../tally.ts";
import { demand } from "../violation.ts";
import type { BookedJob, JobBook } from "./job-book.ts";

export class DrainCheck {
  readonly #book: JobBook;
  readonly #tally: Tally;
  readonly #drained = new Set<string>();
  #expected: readonly BookedJob[] = [];
  #hasMore = false;

  constructor(book: JobBook, tally: Tally) {
    this.#book = book;
    this.#tally = tally;
  }

  /** Before the book is written. */
  expect({ body }: Command): void {
    this.#expected = [];
    if (body.kind !== "drain-queue") return;
    const { queued, scheduled } = this.#book.queueOf(body.queue);
    const until = body.untilArrival === 0 ? this.#book.arrivals : body.untilArrival;
    const waiting = body.withScheduled ? [...queued, ...scheduled] : [...queued];
    const asked = waiting.filter(({ arrival }) => arrival <= until);
    const count = this.#countOf(asked, body.jobsMax);
    this.#expected = asked.slice(0, count);
    this.#hasMore = asked.length > count;
  }

  /** How many go: those below them that have not ended go, too, and count. */
  #countOf(asked: readonly BookedJob[], jobsMax: number): number {
    let [count, work] = [0, 0];
    for (const job of asked) {
      if (work >= jobsMax) break;
      count += 1;
      work += 1 + this.#openBelow(job);
    }
    return count;
  }

  #openBelow({ record }: BookedJob): number {
    const children = record.childJobIds.flatMap((id) => this.#book.jobs.get(id) ?? []);
    return children.reduce((sum, child) => {
      return sum + this.#openBelow(child) + (isTerminal(child.state) ? 0 : 1);
    }, 0);
  }

  /** When the book is written; the jobs that were drained now. */
  follow({ body }: Command, { result, changes }: Applied): readonly BookedJob[] {
    const isRetry = body.kind === "retry-job" || body.kind === "retry-jobs";
    for (const { job, event } of changes) {
      if (!this.#drained.has(job.id)) continue;
      if (isRetry) this.#drained.delete(job.id);
      else demand(false, "I32 drain", `${job.id} was drained, and is ${event} by ${body.kind}`);
    }
    if (body.kind !== "drain-queue" || result.kind !== "queue-drained") return [];
    const expected = this.#expected;
    const left = expected.filter(({ state }) => state !== "cancelled");
    demand(left.length === 0, "I32 drain", `${left[0]?.id} waited, and is left by a drain`);
    const { cancelled, hasMore, untilArrival } = result;
    const isTold = cancelled === expected.length && hasMore === this.#hasMore;
    demand(isTold, "I32 drain", `${cancelled} of ${expected.length}, more: ${hasMore}`);
    const until = body.untilArrival === 0 ? this.#arrivalsBefore(changes) : body.untilArrival;
    demand(untilArrival === until, "I32 drain", `until ${untilArrival}, not ${until}`);
    const meant = new Set(expected.map(({ id }) => id));
    for (const { job, event } of changes) {
      const booked = this.#book.jobs.get(job.id);
      const isFamily = booked !== undefined && booked.parentId !== "";
      const isMeant = event !== "cancelled" || meant.has(job.id) || isFamily;
      demand(isMeant, "I32 drain", `${job.id} is cancelled by a drain of ${body.queue}`);
    }
    for (const { id } of expected) this.#drained.add(id);
    this.#tally.add("count.jobs-drained", expected.length);
    return expected;
  }

  /** Slots that waited for a drained job come to wait by the same command. */
  #arrivalsBefore(changes: Applied["changes"]): number {
    const came = changes.filter(({ event }) => event === "queued" || event === "scheduled");
    return this.#book.arrivals - came.length;
  }
}
