// What is known of one job between two operations, and what may happen to it by itself.
//
//   running ──lease over, timed out──▶ scheduled ──due──▶ queued      parked ──key free──▶ unparked
//      └──────── and no attempt left ──▶ failed
//
// Guarantees: a state stands for itself and for all that time may make of it (`reachable`), so
// nothing has to guess when a tick was; only an operation's outcome narrows it down. Values, never
// changed.
// Does not own: what operations do (job-model.ts).

import type { AttemptOutcome, JobState, JobView } from "./job-call.ts";

export interface KnownAttempt {
  /** null: started by a call whose answer nobody saw. */
  readonly token: number | null;
  readonly startId: string;
  /** What it may have come to. */
  readonly outcomes: readonly AttemptOutcome[];
  /** What the report that ended it was told; null: none did. */
  readonly answer: JobState | null;
}

interface Fields {
  readonly key: string;
  /** null: accepted by a call whose answer nobody saw. */
  readonly jobId: string | null;
  readonly spec: string;
  readonly maxAttempts: number | null;
  readonly state: JobState;
  readonly attempts: readonly KnownAttempt[];
  /** Those that count against maxAttempts. */
  readonly attemptsUsed: number;
  readonly result: string | null;
  /** The code of the final error that was reported; null: none was. */
  readonly error: string | null;
  /** The last start that was refused, and will not start any more; "": none. */
  readonly refusedStartId: string;
  /** May still stand in the line for a lock key. */
  readonly isParked: boolean;
  /** The requests that began the runs after the first. */
  readonly retries: readonly string[];
  /** Its key, if it has one, still names it. */
  readonly isForgotten: boolean;
  /** Its key is free: the next job under it is another. */
  readonly isFree: boolean;
  /** Of the jobs that the key has named before. */
  readonly goneIds: readonly string[];
}

const OVERDUE: readonly AttemptOutcome[] = ["lost", "timed-out"];
/** The ledger's own final errors. */
const OVERDUE_ERRORS: Readonly<Partial<Record<AttemptOutcome, string>>> = {
  lost: "LEASE_EXPIRED",
  "timed-out": "ATTEMPT_TIMED_OUT",
};
const CANCEL_ERROR = "CANCELLED";

export class KnownJob {
  readonly #fields: Fields;
  #text: string | null = null;
  #reachable: readonly KnownJob[] | null = null;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  static accepted(
    from: Pick<Fields, "key" | "jobId" | "spec" | "maxAttempts">,
    isDelayed: boolean,
    goneIds: readonly string[] = [],
  ): KnownJob {
    return new KnownJob({
      ...from,
      state: isDelayed ? "scheduled" : "queued",
      attempts: [],
      attemptsUsed: 0,
      result: null,
      error: null,
      refusedStartId: "",
      isParked: false,
      retries: [],
      isForgotten: false,
      isFree: false,
      goneIds,
    });
  }

  get fields(): Fields {
    return this.#fields;
  }

  get state(): JobState {
    return this.#fields.state;
  }

  get isFinished(): boolean {
    return this.state === "succeeded" || this.state === "failed" || this.state === "cancelled";
  }

  get live(): KnownAttempt | null {
    return this.state === "running" ? (this.#fields.attempts.at(-1) ?? null) : null;
  }

  /** Equal for states that allow the same futures. */
  get text(): string {
    this.#text ??= textOf(this.#fields);
    return this.#text;
  }

  with(change: Partial<Fields>): KnownJob {
    return new KnownJob({ ...this.#fields, ...change });
  }

  withLast(change: Partial<KnownAttempt>): readonly KnownAttempt[] {
    const { attempts } = this.#fields;
    const last = attempts.at(-1);
    return last === undefined ? attempts : [...attempts.slice(0, -1), { ...last, ...change }];
  }

  /** The live attempt's token is this one; null: it cannot be. */
  withToken(token: number): KnownJob | null {
    const { live } = this;
    if (live === null) return null;
    if (live.token !== null) return live.token === token ? this : null;
    const isRisen = token > this.#lastTokenBefore(this.#fields.attempts.length - 1);
    return isRisen ? this.with({ attempts: this.withLast({ token }) }) : null;
  }

  /** A new attempt; null: its token does not rise. */
  begun(token: number | null, startId: string): KnownJob | null {
    const { attempts } = this.#fields;
    if (token !== null && token <= this.#lastTokenBefore(attempts.length)) return null;
    const attempt: KnownAttempt = { token, startId, outcomes: ["started"], answer: null };
    return this.with({ state: "running", isParked: false, attempts: [...attempts, attempt] });
  }

  /** A new run of what has failed or was cancelled: attempts are counted anew. */
  rerun(requestId: string): KnownJob {
    const fresh = { state: "queued", attemptsUsed: 0, error: null, isParked: false } as const;
    return this.with({ ...fresh, retries: [...this.#fields.retries, requestId] });
  }

  /** Whether it may be the job of this id. */
  isOf(jobId: string): boolean {
    const { goneIds, jobId: known } = this.#fields;
    return known === null ? !goneIds.includes(jobId) : known === jobId;
  }

  /** What has ended is not kept for ever; null: it has not. */
  forgotten(): KnownJob | null {
    return this.isFinished ? this.with({ isForgotten: true }) : null;
  }

  /** Nor is the key of what is forgotten. */
  freed(): KnownJob | null {
    const { isForgotten, isFree, goneIds, jobId } = this.#fields;
    if (!isForgotten || isFree || jobId === null) return null;
    return this.with({ isFree: true, goneIds: [...goneIds, jobId] });
  }

  /** The job is exactly as a read shows it; null: it cannot be. */
  seenAs(view: JobView): KnownJob | null {
    const { state, attempts, result } = this.#fields;
    if (view.state !== state || view.result !== result) return null;
    if (view.attempts.length !== attempts.length || !hasRisingTokens(view)) return null;
    if (view.error !== this.#errorIf(view)) return null;
    let isNews = false;
    for (const [position, { token, outcome }] of view.attempts.entries()) {
      const known = attempts[position];
      if (known === undefined || !known.outcomes.includes(outcome)) return null;
      if (known.token !== null && known.token !== token) return null;
      isNews ||= known.token === null || known.outcomes.length > 1;
    }
    if (!isNews) return this;
    const seen = attempts.map((known, position): KnownAttempt => {
      const { token, outcome } = view.attempts[position] ?? { token: 0, outcome: "started" };
      return { ...known, token, outcomes: [outcome] };
    });
    return this.with({ attempts: seen });
  }

  /** This, and whatever it may become without anybody's doing; a state is listed but once. */
  get reachable(): readonly KnownJob[] {
    this.#reachable ??= [this, ...this.#later()];
    return this.#reachable;
  }

  *#later(): Generator<KnownJob> {
    const { state, maxAttempts, isParked } = this.#fields;
    if (isParked) yield this.with({ isParked: false });
    if (state === "scheduled") yield this.with({ state: "queued" });
    if (state !== "running") return;
    const attemptsUsed = this.#fields.attemptsUsed + 1;
    const ended = { attempts: this.withLast({ outcomes: OVERDUE }), attemptsUsed };
    if (maxAttempts === null || attemptsUsed < maxAttempts) {
      yield this.with({ ...ended, state: "scheduled" });
      yield this.with({ ...ended, state: "queued" });
    }
    if (maxAttempts === null || attemptsUsed >= maxAttempts) {
      yield this.with({ ...ended, state: "failed" });
    }
  }

  #lastTokenBefore(position: number): number {
    const { attempts } = this.#fields;
    for (let one = position - 1; one >= 0; one--) {
      const token = attempts[one]?.token ?? null;
      if (token !== null) return token;
    }
    return 0;
  }

  #errorIf(view: JobView): string | null {
    const { state, error } = this.#fields;
    if (state === "cancelled") return CANCEL_ERROR;
    if (state !== "failed" || error !== null) return error;
    return OVERDUE_ERRORS[view.attempts.at(-1)?.outcome ?? "started"] ?? null;
  }
}

function hasRisingTokens({ attempts }: JobView): boolean {
  return attempts.every(({ token }, position) => token > (attempts[position - 1]?.token ?? 0));
}

function textOf(fields: Fields): string {
  const { key, jobId, spec, maxAttempts, state, result, error } = fields;
  // What has succeeded starts no more: who was refused makes no difference.
  const isOver = state === "succeeded";
  const starts = isOver ? "" : `${fields.refusedStartId} ${fields.isParked ? "parked" : ""}`;
  const attempts = fields.attempts.map(({ token, startId, outcomes, answer }) => {
    return `${token ?? "?"} ${startId} ${outcomes.join("/")} ${answer ?? ""}`;
  });
  // In whatever order they came.
  const retries = fields.retries.toSorted().join(",");
  const gone = `${fields.isForgotten} ${fields.isFree} ${fields.goneIds.join()}`;
  const job = [key, jobId, spec, maxAttempts, state, fields.attemptsUsed, starts, retries, gone];
  return [...job, JSON.stringify([result, error]), ...attempts].join("|");
}
