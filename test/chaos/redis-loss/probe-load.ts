// Callers of a run in which Redis is lost: a steady rate of probes, and crowds on demand.
//
// Guarantees: arrivals do not wait for answers; each caller keeps its idempotency key and asks
// again until it is accepted, and a caller that is not within its patience is told. The mix follows
// from the number of the job alone.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { PipelineError } from "../../../transport/pipeline-error.ts";
import type { Client, JobDefinition } from "../../../workers/index.ts";
import {
  type ProbeInput,
  probeDelayed,
  probeFlaky,
  probeLocked,
  probePlain,
  probeSlow,
} from "./probe-jobs.ts";

const TURN_MS = 20;
const PATIENCE_MS = 60_000;
const RETRY_MS = 200;
const CALL_MS = 10_000;
const KEYS = 40;
const RETRYABLE = new Set<string>(["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"]);

type Probe = JobDefinition<string, ProbeInput, { token: number }>;

export interface ProbeLoadOptions {
  readonly client: Client;
  readonly jobsPerSecond: number;
  /** Where the handlers write. */
  readonly file: string;
}

interface Plan {
  readonly definition: Probe;
  readonly input: ProbeInput;
  readonly runAt?: Date;
}

export class ProbeLoad {
  readonly #options: ProbeLoadOptions;
  readonly #acceptedIds = new Map<string, string>();
  readonly #failures: string[] = [];
  readonly #callers = new Set<Promise<void>>();
  readonly #arrivals: Promise<void>;
  #number = 0;
  #isRunning = true;

  constructor(options: ProbeLoadOptions) {
    this.#options = options;
    this.#arrivals = this.#arrive();
  }

  get acceptedCount(): number {
    return this.#acceptedIds.size;
  }

  /** So many at this moment, on top: what waits in the queues when Redis is lost. */
  crowd(count: number): void {
    for (let at = 0; at < count; at += 1) this.#begin(this.#plain(5));
  }

  /** No more arrivals; resolves when every caller has been accepted or has given up. */
  async stop(): Promise<{ acceptedIds: readonly string[]; failures: readonly string[] }> {
    this.#isRunning = false;
    await this.#arrivals;
    await Promise.all(this.#callers);
    return { acceptedIds: [...this.#acceptedIds.keys()], failures: this.#failures };
  }

  async #arrive(): Promise<void> {
    const startedMs = performance.now();
    let begun = 0;
    while (this.#isRunning) {
      const passedMs = performance.now() - startedMs;
      const due = Math.floor((passedMs / 1_000) * this.#options.jobsPerSecond);
      for (; begun < due; begun += 1) this.#begin(this.#planOf(this.#number));
      await delay(TURN_MS);
    }
  }

  /** Of a hundred: 60 plain, 15 delayed, 10 that fail first, 13 with a lock, 2 slow. */
  #planOf(number: number): Plan {
    const place = (number * 37) % 100;
    const { file } = this.#options;
    const input = { file, key: "", holdMs: 10, failures: 0 };
    if (place < 60) return this.#plain(10);
    if (place < 75) {
      const runAt = new Date(Date.now() + 1_000 + ((number * 131) % 20_000));
      return { definition: probeDelayed, input, runAt };
    }
    if (place < 85)
      return { definition: probeFlaky, input: { ...input, failures: 1 + (number % 3) } };
    if (place < 98) {
      return {
        definition: probeLocked,
        input: { ...input, key: `k-${number % KEYS}`, holdMs: 30 },
      };
    }
    return { definition: probeSlow, input: { ...input, holdMs: 3_000 + ((number * 53) % 6_000) } };
  }

  #plain(holdMs: number): Plan {
    const input = { file: this.#options.file, key: "", holdMs, failures: 0 };
    return { definition: probePlain, input };
  }

  #begin(plan: Plan): void {
    this.#number += 1;
    const caller: Promise<void> = this.#call(plan).finally(() => this.#callers.delete(caller));
    this.#callers.add(caller);
  }

  async #call({ definition, input, runAt }: Plan): Promise<void> {
    const idempotencyKey = randomUUID();
    const untilMs = performance.now() + PATIENCE_MS;
    const options = { idempotencyKey, deadlineMs: CALL_MS };
    while (performance.now() < untilMs) {
      try {
        const more = runAt === undefined ? {} : { runAt };
        const { id } = await this.#options.client.submit(definition, input, {
          ...options,
          ...more,
        });
        const owner = this.#acceptedIds.get(id);
        if (owner !== undefined) this.#failures.push(`${id} was given to two callers`);
        this.#acceptedIds.set(id, idempotencyKey);
        return;
      } catch (error) {
        const failure = PipelineError.from(error);
        if (!RETRYABLE.has(failure.code)) {
          this.#failures.push(failure.message);
          return;
        }
        await delay(RETRY_MS);
      }
    }
    this.#failures.push(
      `${definition.kind} ${idempotencyKey} was not accepted in ${PATIENCE_MS} ms`,
    );
  }
}
