// What is forgotten, and what stays of it: jobs and their idempotency keys (I34, I35, I36).
//
// Guarantees: a forgotten job had ended, long enough ago or as one of too many, after its parent,
// before all that ended later, with nobody left who may run it; what had to go is gone. Whoever
// names it is told that there is none. Its key answers with the first job, and refuses another, as
// long as was promised, and is free afterwards. Counts add up after every such command.
// Does not own: when it is proposed (transport/retention-keeper.ts).

import type { Command, CommandBody, JobSpec } from "../../../ledger/command.ts";
import { counts, type Ledger } from "../../../ledger/ledger.ts";
import type { Applied } from "../../../ledger/result.ts";
import type { Tally } from "../tally.ts";
import { demand } from "../violation.ts";
import type { BookedJob, JobBook } from "./job-book.ts";

type ForgetJobs = Extract<CommandBody, { kind: "forget-jobs" }>;

/** Who owns a key: a submission, of one job or of a family. */
interface Owner {
  readonly key: string;
  readonly ids: readonly string[];
  readonly first: BookedJob;
  readonly asked: string;
  /** null: its job is not forgotten. */
  untilMs: number | null;
}

export interface Forgotten {
  readonly jobs: readonly BookedJob[];
  /** Whose keys are free from now on. */
  readonly keys: readonly BookedJob[];
}

const NOTHING: Forgotten = { jobs: [], keys: [] };

export class RetentionCheck {
  readonly #book: JobBook;
  readonly #tally: Tally;
  readonly #owners = new Map<string, Owner>();
  readonly #outliving = new Set<Owner>();
  readonly #gone = new Set<string>();

  constructor(book: JobBook, tally: Tally) {
    this.#book = book;
    this.#tally = tally;
  }

  isForgotten(jobId: string): boolean {
    return this.#gone.has(jobId);
  }

  /** When the book is written. */
  follow({ body }: Command, { result }: Applied, ledger: Ledger): Forgotten {
    if (body.kind === "submit-jobs") {
      this.#submitted(body.jobs[0]?.idempotencyKey ?? "", textOf(body.jobs), result);
    } else if (body.kind === "trigger-schedule") {
      const { idempotencyKey: key, scheduleId } = body;
      const isRefused = result.kind === "schedule-refused";
      demand(!(isRefused && this.#owners.has(key)), "I35 keys", `${key} is refused as busy`);
      // What a schedule's jobs are made of is always the same here.
      this.#submitted(key, `a job of ${scheduleId}`, result);
    }
    const jobId = "jobId" in body ? body.jobId : "";
    demand((result.kind === "job-not-found") === this.#isUnknown(jobId), "I34 forgetting", () => {
      return `${body.kind} of ${jobId} is answered with ${result.kind}`;
    });
    return body.kind === "forget-jobs" ? this.#forgotten(body, ledger) : NOTHING;
  }

  #isUnknown(jobId: string): boolean {
    return jobId !== "" && (this.#gone.has(jobId) || !this.#book.jobs.has(jobId));
  }

  #submitted(key: string, asked: string, result: Applied["result"]): void {
    if (key === "") return;
    const owner = this.#owners.get(key);
    if (result.kind === "submit-refused") {
      const isReuse = result.reason === "idempotency-key-reused";
      const isRight = owner === undefined ? !isReuse : isReuse && owner.asked !== asked;
      demand(isRight, "I35 keys", `${key} is refused: ${result.reason}`);
      return;
    }
    if (result.kind !== "submitted") return;
    const ids = result.jobs.map(({ jobId }) => jobId);
    const isRepeat = result.jobs.every(({ deduplicated }) => deduplicated);
    if (owner === undefined) {
      demand(!isRepeat, "I35 keys", `${key} is free, and a repeat of ${ids[0]}`);
      const first = this.#book.jobs.get(ids[0] ?? "");
      demand(first !== undefined, "I36 counts", `${ids[0]} was never accepted`);
      this.#owners.set(key, { key, ids, first, asked, untilMs: null });
      return;
    }
    const isSame = isRepeat && owner.asked === asked && owner.ids.join() === ids.join();
    demand(isSame, "I35 keys", () => `${key} of ${owner.ids.join()} is answered: ${ids.join()}`);
    if (owner.untilMs !== null) this.#tally.add("count.repeats-of-the-forgotten");
  }

  #forgotten(command: ForgetJobs, ledger: Ledger): Forgotten {
    const gone = [...this.#book.ended].filter(({ id }) => !ledger.jobs.has(id));
    const expected = this.#expected(command);
    const meant = new Set(expected);
    const [wrong, left] = [
      gone.find((job) => !meant.has(job)),
      expected.find(({ id }) => ledger.jobs.has(id)),
    ];
    demand(wrong === undefined, "I34 forgetting", () => {
      return `${wrong?.id}, ended at ${wrong?.endMs}, is gone: ${JSON.stringify(command)}`;
    });
    demand(left === undefined, "I34 forgetting", () => {
      return `${left?.id}, ended at ${left?.endMs}, is left: ${JSON.stringify(command)}`;
    });
    const keys: BookedJob[] = [];
    for (const job of expected) {
      this.#book.forget(job);
      keys.push(...this.#outlive(job, command.keyMs));
    }
    keys.push(...this.#dropKeys(command.limit));
    this.#checkCounts(ledger);
    this.#tally.add("count.jobs-forgotten", expected.length);
    this.#tally.add("count.keys-freed", keys.length);
    return { jobs: expected, keys };
  }

  /** Whoever ended first goes first; a child may go when its parent has. */
  #expected(command: ForgetJobs): readonly BookedJob[] {
    const { endedBeforeMs, keptMax, spareBeforeMs, limit } = command;
    let ready = [...this.#book.ended].filter((job) => this.#isReady(job)).sort(byEnd);
    const going: BookedJob[] = [];
    for (let work = 0; work < limit; ) {
      const [first, ...others] = ready;
      if (first === undefined) break;
      const isOfMany = ready.length > keptMax && first.endMs < spareBeforeMs;
      if (first.endMs >= endedBeforeMs && !isOfMany) break;
      going.push(first);
      work += this.#workOf(first, command.keyMs);
      this.#gone.add(first.id);
      const children = first.record.childJobIds.flatMap((id) => this.#book.jobs.get(id) ?? []);
      const freed = children.filter((job) => this.#book.ended.has(job) && this.#isReady(job));
      ready = freed.length === 0 ? others : [...others, ...freed].sort(byEnd);
    }
    return going;
  }

  /** Its children are looked at, and all below it if its key stays and stands for them. */
  #workOf(job: BookedJob, keyMs: number): number {
    const hasKey = job.record.idempotencyKey !== "" && job.endMs + keyMs > this.#book.clockMs;
    return hasKey ? this.#sizeOf(job) : 1 + job.record.childJobIds.length;
  }

  #sizeOf({ record }: BookedJob): number {
    const children = record.childJobIds.flatMap((id) => this.#book.jobs.get(id) ?? []);
    return children.reduce((sum, child) => sum + this.#sizeOf(child), 1);
  }

  /** It has ended, nobody runs it any more, and it has no parent that may need it. */
  #isReady({ record, parentId }: BookedJob): boolean {
    return record.keysUntilMs === 0 && (parentId === "" || this.#gone.has(parentId));
  }

  /** The key of a job that has gone; it may be over at once. */
  #outlive(job: BookedJob, keyMs: number): readonly BookedJob[] {
    const owner = this.#owners.get(job.record.idempotencyKey);
    if (owner?.first !== job) return [];
    owner.untilMs = job.endMs + keyMs;
    if (owner.untilMs > this.#book.clockMs) {
      this.#outliving.add(owner);
      return [];
    }
    this.#owners.delete(owner.key);
    return [job];
  }

  /** In the order in which their times are over, as many as jobs. */
  #dropKeys(limit: number): readonly BookedJob[] {
    const freed: BookedJob[] = [];
    for (const owner of [...this.#outliving].sort(byTime)) {
      const isOver = owner.untilMs !== null && owner.untilMs <= this.#book.clockMs;
      if (!isOver || freed.length === limit) break;
      this.#outliving.delete(owner);
      this.#owners.delete(owner.key);
      freed.push(owner.first);
    }
    return freed;
  }

  #checkCounts(ledger: Ledger): void {
    const { accepted, forgotten } = counts(ledger);
    const total = this.#book.jobs.size;
    const isTrue = accepted === total && forgotten === this.#gone.size;
    demand(isTrue, "I36 counts", () => {
      return `${accepted} of ${total} accepted, ${forgotten} of ${this.#gone.size} forgotten`;
    });
    const [told, booked] = [counts(ledger), this.#book.countsOf(null)];
    for (const [state, count] of Object.entries(booked)) {
      demand(told[state as keyof typeof booked] === count, "I36 counts", () => {
        return `${told[state as keyof typeof booked]} are ${state}, not ${count}`;
      });
    }
    const keys = ledger.keys.forgottenCount;
    demand(keys === this.#outliving.size, "I35 keys", () => {
      return `${keys} keys outlive their jobs, not ${this.#outliving.size}`;
    });
  }
}

function byEnd(one: BookedJob, other: BookedJob): number {
  return one.endMs - other.endMs || one.record.number - other.record.number;
}

function byTime(one: Owner, other: Owner): number {
  const [a, b] = [one.first.record, other.first.record];
  const time = (one.untilMs ?? 0) - (other.untilMs ?? 0);
  return time || a.logIndex - b.logIndex || a.position - b.position;
}

/** What was asked for; the trace is each repeat's own. */
function textOf(specs: readonly JobSpec[]): string {
  return JSON.stringify(
    specs.map(({ payload, traceparent: _traceparent, ...spec }) => {
      return { ...spec, payload: Buffer.from(payload).toString("latin1") };
    }),
  );
}
