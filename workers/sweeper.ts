// Takes out of BullMQ what ought not to be there: the reconciler's other half.
//
// Guarantees: while started, everything that our queues hold in Redis is compared with the ledger,
// soon after this node began to lead and after Redis came back, and then again and again: what the
// ledger is done with goes, also of queues that nobody knows, and so does what BullMQ has lost
// hold of, so that it can be added again. At most a piece at a time with a pause behind it:
// neither Redis nor the event loop is held up. Only for tidiness and room: a worker is refused
// whatever is left, and what is due again has another dispatch, which is not touched.
// Does not own: what has just been taken back (dispatcher.ts); adding (reconciler.ts).

import type { DeliveryRef } from "../transport/redis/delivery.ts";
import { BEGINNING } from "../transport/redis/delivery-shelf.ts";
import type { ClearOutcome, JobQueue, RemoveOutcome } from "../transport/redis/job-queue.ts";
import type { Logger } from "../transport/telemetry/logger.ts";

/** Between two pieces of a walk: 4000 keys/s at most. */
const PIECE_PAUSE_MS = 250;
const RETRY_MS = 1_000;
/** From the end of a walk to the beginning of the next. */
const SWEEP_MS_DEFAULT = 60_000;

export interface SweeperOptions {
  readonly jobQueue: JobQueue;
  /** The ledger's word: no worker has to be given the job under this dispatch any more. */
  readonly isOver: (jobId: string, dispatch: number) => boolean;
  /** Whether the ledger has a queue of this name. */
  readonly isKnownQueue: (queue: string) => boolean;
  readonly logger: Logger;
  readonly sweepMs?: number;
}

export class Sweeper {
  readonly #options: SweeperOptions;
  #cursor = BEGINNING;
  #sum = { looked: 0, over: 0, stranded: 0 };
  /** Rises with each start and stop: what was begun before does not go on. */
  #life = 0;
  #isStarted = false;
  #timer: NodeJS.Timeout | null = null;
  #forgetReady: (() => void) | null = null;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#forgetReady = this.#options.jobQueue.onReady(() => this.#begin());
    this.#begin();
  }

  stop(): void {
    this.#isStarted = false;
    this.#life += 1;
    this.#forgetReady?.();
    this.#forgetReady = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #begin(): void {
    this.#life += 1;
    this.#cursor = BEGINNING;
    this.#sum = { looked: 0, over: 0, stranded: 0 };
    this.#stepAfter(0);
  }

  #stepAfter(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const life = this.#life;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#step().then(
        (pauseMs) => {
          if (life === this.#life) this.#stepAfter(pauseMs);
        },
        (error: unknown) => this.#options.logger.error({ error: String(error) }, "sweep failed"),
      );
    }, delayMs);
  }

  /** One piece. Resolves to the pause before the next. */
  async #step(): Promise<number> {
    const life = this.#life;
    const { jobQueue } = this.#options;
    const found = await jobQueue.lookThrough(this.#cursor);
    if (life !== this.#life) return 0;
    // Where it stood in a Redis that is away is as good as anywhere: it goes on from there.
    if (found.kind === "unreachable") return this.#retry(found.cause);
    const removed = await this.#remove(found.deliveries);
    const cleared = await this.#clearAway(found.queues);
    if (life !== this.#life) return 0;
    if (removed.kind === "unreachable") return this.#retry(removed.cause);
    if (cleared.kind === "unreachable") return this.#retry(cleared.cause);
    this.#cursor = found.cursor;
    this.#sum.looked += found.deliveries.length;
    this.#sum.over += removed.over;
    this.#sum.stranded += removed.stranded;
    return found.cursor === BEGINNING ? this.#endWalk() : PIECE_PAUSE_MS;
  }

  /** The ledger is asked now; what it is done with, it is done with for good. */
  #remove(deliveries: readonly DeliveryRef[]): Promise<RemoveOutcome> {
    const { jobQueue, isOver } = this.#options;
    const verdicts = Map.groupBy(deliveries, (one) => isOver(one.jobId, one.dispatch));
    return jobQueue.remove(verdicts.get(true) ?? [], verdicts.get(false) ?? []);
  }

  /** What a queue keeps without any deliveries is little, but queues of other ledgers add up. */
  async #clearAway(queues: ReadonlySet<string>): Promise<ClearOutcome> {
    const unknown = [...queues].filter((queue) => !this.#options.isKnownQueue(queue));
    if (unknown.length === 0) return { kind: "cleared" };
    return await this.#options.jobQueue.clearAway(unknown);
  }

  #retry(cause: unknown): number {
    this.#options.logger.debug({ cause: String(cause) }, "the sweep waits for Redis");
    return RETRY_MS;
  }

  #endWalk(): number {
    const { logger, sweepMs = SWEEP_MS_DEFAULT } = this.#options;
    const { looked, over, stranded } = this.#sum;
    if (over + stranded > 0) logger.info({ looked, over, stranded }, "queues swept");
    else logger.debug({ looked }, "queues swept: nothing was in the way");
    this.#sum = { looked: 0, over: 0, stranded: 0 };
    return sweepMs;
  }
}
