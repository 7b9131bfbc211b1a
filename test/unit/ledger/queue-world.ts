// A world whose queues are limited: what an operator says, in few words.

import type { CommandBody } from "../../../ledger/command.ts";
import { queuedJobs, queueViews } from "../../../ledger/ledger.ts";
import type { QueueView } from "../../../ledger/queue-view.ts";
import type { Result } from "../../../ledger/result.ts";
import { kindOf, World } from "./world.ts";

type Setting = Omit<Extract<CommandBody, { kind: "set-queue" }>, "kind" | "queue">;

const UNCHANGED: Setting = { isPaused: null, runningMax: null, rate: null, waitingMax: null };

export class QueueWorld extends World {
  constructor(queues: readonly string[] = ["default"]) {
    super(queues.map((queue) => kindOf({ kind: `in-${queue}`, queue, maxAttempts: 9 })));
    this.commit({ kind: "register-kinds", kinds: [kindOf({ maxAttempts: 9 })] });
  }

  set(setting: Partial<Setting>, queue = "default"): Result {
    return this.commit({ kind: "set-queue", queue, ...UNCHANGED, ...setting });
  }

  drain(change: { withScheduled?: boolean; jobsMax?: number; untilArrival?: number } = {}): Result {
    const all = { withScheduled: false, jobsMax: 100, untilArrival: 0, ...change };
    return this.commit({ kind: "drain-queue", queue: "default", reason: "asked", ...all });
  }

  /** Jobs of the default queue. */
  addMany(count: number): string[] {
    return Array.from({ length: count }, () => this.add());
  }

  /** What is in BullMQ, in order. */
  get before(): string[] {
    return Array.from(queuedJobs(this.ledger), ({ id }) => id);
  }

  view(name = "default"): QueueView {
    const view = queueViews(this.ledger).find((one) => one.name === name);
    if (view === undefined) throw new Error(`no queue ${name}`);
    return view;
  }
}
