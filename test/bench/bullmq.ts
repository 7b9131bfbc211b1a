// BullMQ alone, on a Redis of the same kind, in the same run: what the same jobs cost without a
// quorum, without durable acceptance, without recorded results.
//
// Guarantees: its Redis, its queue and its worker processes are its own; the number of worker
// processes and their concurrency are those of the stack; the Redis keeps nothing on disk.

import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { Queue, QueueEvents } from "bullmq";
import { Redis } from "ioredis";
import { startRedis } from "../../deploy/local/redis.ts";
import { runClosedLoop } from "./closed-loop.ts";
import { closedLoopFigure, type Figure, rateFigure } from "./figure.ts";
import { IN_FLIGHT } from "./latency.ts";

export interface BullmqOptions {
  /** For Redis's own files; exists. */
  readonly dir: string;
  readonly workers: number;
  readonly concurrency: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

const QUEUE = "bench";
const BULK_JOBS = 100;
const ADDS_IN_FLIGHT = 512;
/** waitUntilFinished looks a job up when its event has passed already: it must still be there. */
const KEEP_JOBS = { removeOnComplete: { count: 5_000 }, attempts: 1 };
const COMPLETE_TIMEOUT_MS = 60_000;

export async function measureBullmq(options: BullmqOptions): Promise<Figure[]> {
  const redis = await startRedis({ dir: options.dir });
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: KEEP_JOBS });
  const events = new QueueEvents(QUEUE, { connection });
  const workers = new Workers(redis.url, options);
  try {
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), workers.ready]);
    const bench = { queue, events, workers, options };
    return [...(await latencies(bench)), ...(await rates(bench))];
  } finally {
    await workers.stop();
    await events.close();
    await queue.close();
    connection.disconnect();
    await redis.stop();
  }
}

interface Bench {
  readonly queue: Queue;
  readonly events: QueueEvents;
  readonly workers: Workers;
  readonly options: BullmqOptions;
}

async function latencies({ queue, events, options }: Bench): Promise<Figure[]> {
  const { warmUpMs, measureMs } = options;
  // Each waiting job listens twice.
  events.setMaxListeners(0);
  queue.setMaxListeners(0);
  const figures: Figure[] = [];
  for (const inFlight of IN_FLIGHT) {
    const outcome = await runClosedLoop({
      inFlight,
      warmUpMs,
      measureMs,
      call: async (number) => {
        const job = await queue.add("greet", { name: `n${number}` });
        await job.waitUntilFinished(events);
      },
    });
    figures.push(closedLoopFigure(`bare BullMQ add to completed, ${inFlight} in flight`, outcome));
  }
  return figures;
}

async function rates(bench: Bench): Promise<Figure[]> {
  const { queue } = bench;
  const bulk = Array.from({ length: BULK_JOBS }, (_, at) => ({
    name: "ingest-reading",
    data: { name: `d-${at}` },
  }));
  return [
    ...(await rate(bench, `addBulk of ${BULK_JOBS}`, 1, BULK_JOBS, () => queue.addBulk(bulk))),
    ...(await rate(bench, `single adds, ${ADDS_IN_FLIGHT} in flight`, ADDS_IN_FLIGHT, 1, (number) =>
      queue.add("ingest-reading", { name: `d-${number}` }),
    )),
  ];
}

async function rate(
  { workers, options }: Bench,
  what: string,
  inFlight: number,
  jobsPerCall: number,
  add: (number: number) => Promise<unknown>,
): Promise<Figure[]> {
  const before = workers.completed;
  const beganMs = performance.now();
  const outcome = await runClosedLoop({
    inFlight,
    warmUpMs: 0,
    measureMs: options.measureMs,
    call: add,
  });
  const added = outcome.samplesMs.length * jobsPerCall;
  const completed = (await workers.untilCompleted(before + added)) - before;
  const completedMs = performance.now() - beganMs;
  return [
    rateFigure(`bare BullMQ added, ${what}`, added, outcome.elapsedMs, outcome.failures),
    rateFigure("bare BullMQ completed, of the same", completed, completedMs, added - completed),
  ];
}

/** The worker processes, and how many jobs they have completed together. */
class Workers {
  readonly ready: Promise<unknown>;
  readonly #children: readonly ChildProcess[];
  readonly #completed: number[];
  #told = (): void => undefined;

  constructor(url: string, { workers, concurrency }: BullmqOptions) {
    const program = join(import.meta.dirname, "bullmq-child.ts");
    this.#children = Array.from({ length: workers }, () =>
      fork(program, [url, QUEUE, String(concurrency)]),
    );
    this.#completed = this.#children.map(() => 0);
    this.ready = Promise.all(this.#children.map((child, at) => this.#listen(child, at)));
  }

  get completed(): number {
    return this.#completed.reduce((sum, count) => sum + count, 0);
  }

  /** Resolves with what is completed: that many, or fewer when it takes too long. */
  async untilCompleted(count: number): Promise<number> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, COMPLETE_TIMEOUT_MS);
    const reached = new Promise<void>((resolve) => {
      this.#told = () => {
        if (this.completed >= count) resolve();
      };
      this.#told();
    });
    await Promise.race([reached, late.promise]);
    clearTimeout(timer);
    return Math.min(count, this.completed);
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map((child) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined;
        const exited = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        return exited;
      }),
    );
  }

  #listen(child: ChildProcess, at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`a BullMQ worker ended with ${code}`)));
      child.on("message", (message: { ready?: boolean; completed?: number }) => {
        if (message.ready === true) resolve();
        this.#completed[at] = message.completed ?? 0;
        this.#told();
      });
    });
  }
}
