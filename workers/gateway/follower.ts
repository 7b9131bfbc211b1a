// Follows jobs on behalf of all callers of a gateway that wait for or watch them.
//
// Guarantees: a follower is told a job's state at least once after its last change, whatever events
// are lost: it is registered first, then the job is read, and read again at each event, at each gap
// in the events and, more and more seldom, on a timer. It is told nothing of before it followed.
// Reads of one turn of the loop, whoever needs them, are one read of many ids. An older answer may
// come after a newer one: followers compare change_index.
// Does not own: who waits how long (wait.ts).

import type { ReadAnswer } from "../../protos/gen/node/v1/exchange.ts";
import type { Job } from "../../protos/gen/quorumq/v1/job.ts";
import { GATEWAY_WAITS_MAX, READ_JOBS_MAX } from "../../transport/limit.ts";
import type { JobEvent, Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import type { Logger } from "../../transport/telemetry/logger.ts";

export interface Follow {
  /** False: only the events that end a job lead to a read at once. */
  readonly isEachChange: boolean;
  /** The job as some linearizable read saw it. */
  seen(job: Job): void;
  /** The quorum says that there is no such job. */
  missing(): void;
}

interface Followed {
  /** Each with the number of the last read that was begun before it. */
  readonly follows: Map<Follow, number>;
  /** Next read without an event, on the monotonic clock, and the pause before the one after. */
  rereadMs: number;
  pauseMs: number;
}

const SWEEP_MS = 1_000;
const REREAD_PAUSE_MS_MAX = 4_000;
const READ_TIMEOUT_MS = 2_000;
/** Beyond, ids wait for the next read, which then asks for more of them at once. */
const READS_INFLIGHT_MAX = 8;
const ENDINGS: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled"]);

export class JobFollower {
  readonly #quorum: Quorum;
  readonly #logger: Logger;
  readonly #followed = new Map<string, Followed>();
  /** Ids to read in the next turn. */
  readonly #stale = new Set<string>();
  readonly #unsubscribe: readonly (() => void)[];
  #followCount = 0;
  #readCount = 0;
  #lastRead = 0;
  #isScheduled = false;
  #sweep: NodeJS.Timeout | null = null;

  constructor(quorum: Quorum, logger: Logger) {
    this.#quorum = quorum;
    this.#logger = logger;
    this.#unsubscribe = [
      quorum.onEvent((event) => this.#onEvent(event)),
      quorum.onEventGap(() => this.#markAll()),
    ];
  }

  get followCount(): number {
    return this.#followCount;
  }

  /** Returns the function that ends it. */
  follow(jobId: string, follow: Follow): () => void {
    if (this.#followCount >= GATEWAY_WAITS_MAX) {
      throw refusal("BACKLOG_FULL", `${GATEWAY_WAITS_MAX} callers wait at this gateway already`, {
        metadata: { limit: String(GATEWAY_WAITS_MAX) },
      });
    }
    const nobody = { follows: new Map<Follow, number>(), rereadMs: 0, pauseMs: 0 };
    const followed = this.#followed.get(jobId) ?? nobody;
    this.#followed.set(jobId, followed);
    followed.follows.set(follow, this.#lastRead);
    // Who joins late would otherwise wait as long as the first one by now.
    followed.pauseMs = SWEEP_MS;
    followed.rereadMs = performance.now() + SWEEP_MS;
    this.#followCount += 1;
    this.#sweep ??= setInterval(() => this.#markDue(), SWEEP_MS).unref();
    this.#mark(jobId);
    return () => this.#unfollow(jobId, followed, follow);
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.#sweep !== null) clearInterval(this.#sweep);
    this.#sweep = null;
  }

  #unfollow(jobId: string, followed: Followed, follow: Follow): void {
    if (!followed.follows.delete(follow)) return;
    this.#followCount -= 1;
    if (followed.follows.size === 0) {
      this.#followed.delete(jobId);
      this.#stale.delete(jobId);
    }
    if (this.#followCount === 0 && this.#sweep !== null) {
      clearInterval(this.#sweep);
      this.#sweep = null;
    }
  }

  #onEvent({ jobId, event }: JobEvent): void {
    const followed = this.#followed.get(jobId);
    if (followed === undefined) return;
    const isOfUse =
      ENDINGS.has(event) || [...followed.follows.keys()].some((it) => it.isEachChange);
    if (isOfUse) this.#mark(jobId);
  }

  #markAll(): void {
    for (const jobId of this.#followed.keys()) this.#mark(jobId);
  }

  #markDue(): void {
    const nowMs = performance.now();
    for (const [jobId, followed] of this.#followed) {
      if (followed.rereadMs > nowMs) continue;
      followed.pauseMs = Math.min(REREAD_PAUSE_MS_MAX, followed.pauseMs * 2);
      followed.rereadMs = nowMs + followed.pauseMs;
      this.#mark(jobId);
    }
  }

  #mark(jobId: string): void {
    this.#stale.add(jobId);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#readStale();
    });
  }

  #readStale(): void {
    while (this.#stale.size > 0 && this.#readCount < READS_INFLIGHT_MAX) {
      const jobIds = [...this.#stale.values().take(READ_JOBS_MAX)];
      for (const jobId of jobIds) this.#stale.delete(jobId);
      // A leader of another version may not understand the read: the sweep asks again.
      this.#read(jobIds).catch((error: unknown) => {
        this.#logger.error({ error: String(error) }, "jobs could not be read");
      });
    }
  }

  async #read(jobIds: readonly string[]): Promise<void> {
    this.#readCount += 1;
    this.#lastRead += 1;
    const read = this.#lastRead;
    try {
      const outcome = await this.#quorum.read(
        { read: { $case: "jobs", value: { jobIds: [...jobIds] } } },
        // Not part of anybody's trace: it answers many callers.
        { timeoutMs: READ_TIMEOUT_MS, traceparent: "" },
      );
      // A read without an answer is made good by the sweep, or by the gap that a new leader brings.
      if (outcome.kind === "answered") this.#tell(jobIds, outcome.answer, read);
    } finally {
      this.#readCount -= 1;
    }
    this.#readStale();
  }

  #tell(jobIds: readonly string[], { jobs, hasMore }: ReadAnswer, read: number): void {
    const found = new Map(jobs.map((job) => [job.id, job]));
    // An answer may stop early, in the order asked: what comes after was not looked at.
    const lookedAt = hasMore ? jobIds.indexOf(jobs.at(-1)?.id ?? "") + 1 : jobIds.length;
    for (const [position, jobId] of jobIds.entries()) {
      // A read that was begun before may show a job as it was before it was retried.
      const follows = [...(this.#followed.get(jobId)?.follows ?? [])]
        .filter(([, begunRead]) => begunRead < read)
        .map(([follow]) => follow);
      if (follows.length === 0) continue;
      const job = found.get(jobId);
      if (position >= lookedAt) this.#mark(jobId);
      else for (const follow of follows) job === undefined ? follow.missing() : follow.seen(job);
    }
  }
}
