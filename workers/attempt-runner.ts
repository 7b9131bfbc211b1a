// One delivery, from taking it to letting it go: start the attempt, take its locks, run the
// handler, record how it ended, free the locks.
//
//   start-attempt ──started──▶ locks ──held──▶ handler ──▶ finish-attempt ──▶ release
//        │ refused               │ a higher token                 ▲
//        ▼                       └──────────── "fenced" ──────────┘
//     let it go
//
// Guarantees: nothing runs without the ledger's leave; a result is proposed until the ledger has
// answered, however long the quorum is away, with the lease renewed meanwhile. A delivery that the
// ledger has not answered goes back into its queue; one that it refused is dropped. An attempt that
// was started elsewhere is only gone on with while the ledger says that it is the current one.
// Does not own: the lease (lease-keeper.ts), the user's code (attempt-handler.ts).

import { randomUUID } from "node:crypto";
import type { CommandBody } from "../ledger/command.ts";
import {
  type Started,
  type StartRefused,
  StartRefused_Reason,
} from "../protos/gen/node/v1/exchange.ts";
import type { ProposeOutcome, Quorum } from "../transport/quorum.ts";
import type { Delivery, DeliveryEnd } from "../transport/redis/job-worker.ts";
import type { RedisLock } from "../transport/redis/redis-lock.ts";
import type { Logger } from "../transport/telemetry/logger.ts";
import { AttributeName, SpanName } from "../transport/telemetry/name.ts";
import {
  failSpan,
  type Span,
  SpanKind,
  startSpan,
  traceIdOf,
  traceparentOf,
} from "../transport/telemetry/trace.ts";
import { type AbortWhy, AttemptAborted } from "./attempt-aborted.ts";
import { type HandlerEnd, runHandler } from "./attempt-handler.ts";
import { type AttemptRef, type EndReport, refusedReport } from "./attempt-report.ts";
import { childEndsOf, childResultReader } from "./children.ts";
import { type Clock, MACHINE_CLOCK } from "./clock.ts";
import type { AttemptContext, JobDefinition } from "./define-job.ts";
import { proposeInsistently } from "./insistent-propose.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { type AttemptEnd, ErrorCode, handedBack, lockLost, unknownKind } from "./outcome.ts";
import type { AttemptReporter, ProgressReporter } from "./progress-reporter.ts";

export interface AttemptRunnerOptions {
  readonly quorum: Quorum;
  readonly locks: RedisLock;
  readonly leases: LeaseKeeper;
  readonly progress: ProgressReporter;
  readonly worker: string;
  readonly leaseMs: number;
  readonly logger: Logger;
  readonly definitionOf: (kind: string) => JobDefinition | undefined;
  /** Aborted: start nothing new. */
  readonly draining: AbortSignal;
  /** Aborted: the handlers must stop. */
  readonly stopping: AbortSignal;
  /** Aborted: stop proposing what the quorum does not answer. */
  readonly givingUp: AbortSignal;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Told once of each attempt that was started or resumed here. */
  readonly ended?: (attempt: AttemptRef, report: EndReport) => void;
}

interface Attempt {
  readonly delivery: Delivery;
  readonly started: Started;
  readonly sentMs: number;
  readonly span: Span;
  readonly logger: Logger;
  readonly reporter: AttemptReporter;
  /** Started elsewhere; it has run meanwhile. */
  readonly isResumed: boolean;
}

const DONE: DeliveryEnd = { kind: "done" };
const LEFT: EndReport = { kind: "left" };
const PUT_BACK: DeliveryEnd = { kind: "put-back", delayMs: 0 };
const TIMER_MS_MAX = 2 ** 31 - 1;
/** How long an aborted handler may take to settle: within the lease that the ledger waits. */
const SETTLE_MS_MAX = 2_000;
/** Part of the lease that may be over when an attempt is resumed: so it is renewed at once. */
const RESUMED_PART = 1 / 2;

export class AttemptRunner {
  readonly #options: AttemptRunnerOptions;
  readonly #clock: Clock;

  constructor(options: AttemptRunnerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? MACHINE_CLOCK;
  }

  async run(delivery: Delivery): Promise<DeliveryEnd> {
    if (this.#options.draining.aborted) return PUT_BACK;
    const span = processSpan(delivery);
    try {
      return await this.#start(delivery, span);
    } finally {
      span.end();
    }
  }

  /** Goes on with an attempt of a worker that has come back; `started` as the ledger has it. */
  async resume(delivery: Delivery, started: Started): Promise<void> {
    const span = processSpan(delivery);
    const sentMs = this.#clock.nowMs() - this.#options.leaseMs * RESUMED_PART;
    try {
      await this.#attempt(this.#attemptOf({ delivery, started, sentMs, span, isResumed: true }));
    } finally {
      span.end();
    }
  }

  async #start(delivery: Delivery, span: Span): Promise<DeliveryEnd> {
    const { logger } = this.#options;
    const { jobId } = delivery;
    const sentMs = this.#clock.nowMs();
    const outcome = await this.#proposeStart(jobId, traceparentOf(span));
    if (outcome.kind !== "applied") {
      failSpan(span, outcome.kind, "draining before the quorum answered");
      return PUT_BACK;
    }
    const { result } = outcome.applied;
    if (result?.$case === "startRefused") {
      noteRefusal(span, logger, delivery, result.value);
      return DONE;
    }
    if (result?.$case === "jobNotFound") {
      // A Redis that has seen another ledger: what it holds is nothing to us.
      logger.warn({ job_id: jobId }, "the ledger does not know this job");
      failSpan(span, "job-not-found", "the ledger does not know this job");
      return DONE;
    }
    if (result?.$case !== "started") {
      logger.error({ job_id: jobId, answer: result?.$case }, "not an answer to a start");
      failSpan(span, "unexpected-answer", String(result?.$case));
      return DONE;
    }
    const started = result.value;
    await this.#attempt(this.#attemptOf({ delivery, started, sentMs, span, isResumed: false }));
    return DONE;
  }

  #attemptOf(parts: Omit<Attempt, "logger" | "reporter">): Attempt {
    const { delivery, started, span } = parts;
    span.setAttribute(AttributeName.Attempt, started.number);
    span.setAttribute(AttributeName.FencingToken, started.token);
    const trace = { trace_id: traceIdOf(traceparentOf(span)), span_id: span.spanContext().spanId };
    const logger = this.#options.logger.child({
      job_id: delivery.jobId,
      kind: started.kind,
      attempt: started.number,
      ...(trace.trace_id === "" ? {} : trace),
    });
    const { jobId } = delivery;
    const reporter = this.#options.progress.open({ jobId, token: started.token });
    return { ...parts, logger, reporter };
  }

  /** Gives up when draining, unless the attempt may have been started: then someone must know. */
  async #proposeStart(jobId: string, traceparent: string): Promise<ProposeOutcome> {
    const { quorum, worker, leaseMs, draining, stopping } = this.#options;
    const startId = randomUUID();
    const body: CommandBody = { kind: "start-attempt", jobId, worker, startId, leaseMs };
    const options = { traceparent, callSignal: stopping };
    const outcome = await proposeInsistently(quorum, body, { ...options, signal: draining });
    if (outcome.kind !== "unknown") return outcome;
    return await proposeInsistently(quorum, body, { ...options, signal: stopping });
  }

  async #attempt(attempt: Attempt): Promise<void> {
    const { leases, locks, leaseMs } = this.#options;
    const { jobId } = attempt.delivery;
    const { token, lockKeys } = attempt.started;
    const aborter = new AbortController();
    const abort = (why: AbortWhy): void => aborter.abort(new AttemptAborted(why));
    const lease = { jobId, token };
    leases.keep({ ...lease, lockKeys, sentMs: attempt.sentMs, lost: abort });
    const onStop = (): void => abort("shutdown");
    this.#options.stopping.addEventListener("abort", onStop, { once: true });
    if (this.#options.stopping.aborted) onStop();
    const timeouts = this.#startTimeouts(attempt, abort);
    let report: EndReport = LEFT;
    try {
      // The answer took so long that the lease may be nearly over: ask before running anything.
      if (this.#clock.nowMs() - attempt.sentMs > leaseMs / 3) await leases.renewNow();
      const handlerEnd = await this.#runUnderLocks(attempt, aborter.signal);
      if (handlerEnd.kind === "ended") {
        // Before its end: afterwards nobody is heard.
        await attempt.reporter.flush();
        report = await this.#finish(attempt, handlerEnd.end);
      } else
        failSpan(attempt.span, handlerEnd.why, "the attempt was over before its handler ended");
    } finally {
      for (const forget of timeouts) forget();
      attempt.reporter.close();
      this.#options.stopping.removeEventListener("abort", onStop);
      leases.release(lease);
      this.#options.ended?.(lease, report);
      await locks.release(lockKeys, token);
    }
  }

  /** From before the start was proposed: never later than the ledger counts it. */
  #startTimeouts({ started, sentMs }: Attempt, abort: (why: AbortWhy) => void) {
    const limits = [
      ["timed-out", started.attemptTimeoutMs],
      ["deadline", started.deadlineInMs],
    ] as const;
    return limits.flatMap(([why, limitMs]) => {
      const leftMs = limitMs - (this.#clock.nowMs() - sentMs);
      // Beyond what a timer can count, the ledger ends it alone.
      if (limitMs === 0 || leftMs > TIMER_MS_MAX) return [];
      return [this.#clock.after(Math.max(0, leftMs), () => abort(why))];
    });
  }

  async #runUnderLocks(attempt: Attempt, signal: AbortSignal): Promise<HandlerEnd> {
    if (this.#options.draining.aborted && !attempt.isResumed) {
      // Started by the answer that came last: better run by a worker that stays.
      return { kind: "ended", end: handedBack(new AttemptAborted("shutdown")) };
    }
    // The ledger's word counts: the delivery may be of a Redis that has seen another ledger.
    const definition = this.#options.definitionOf(attempt.started.kind);
    if (definition === undefined) return { kind: "ended", end: unknownKind(attempt.started.kind) };
    const refused = await this.#takeLocks(attempt);
    if (refused !== null) return { kind: "ended", end: refused };
    return await this.#handle(attempt, definition, signal);
  }

  /** null: go on. Else how the attempt ends without having run. */
  async #takeLocks({ started, span, logger }: Attempt): Promise<AttemptEnd | null> {
    const { lockKeys, token } = started;
    if (lockKeys.length === 0) return null;
    const lockSpan = startSpan({
      name: SpanName.LockAcquire,
      kind: SpanKind.CLIENT,
      parent: traceparentOf(span),
      attributes: {
        [AttributeName.DbSystem]: "redis",
        [AttributeName.DbOperation]: "EVALSHA",
        [AttributeName.LockKeyCount]: lockKeys.length,
        [AttributeName.FencingToken]: token,
      },
    });
    try {
      const hold = await this.#options.locks.acquire(lockKeys, token, this.#options.leaseMs);
      if (hold.kind === "held") return null;
      if (hold.kind === "unreachable") {
        failSpan(lockSpan, "unreachable", "Redis is away: the ledger alone holds the locks");
        logger.warn({ cause: String(hold.cause) }, "no locks in Redis: the ledger holds them");
        return null;
      }
      failSpan(lockSpan, "blocked", `held by token ${hold.token}`);
      return lockLost(`lock ${hold.key} is held by a newer attempt, token ${hold.token}`);
    } finally {
      lockSpan.end();
    }
  }

  #handle(attempt: Attempt, definition: JobDefinition, signal: AbortSignal): Promise<HandlerEnd> {
    const { leases, quorum } = this.#options;
    const { delivery, started, span, logger, reporter } = attempt;
    const children = childEndsOf(started.children);
    return runHandler({
      definition,
      started,
      reporter,
      parent: span,
      settleMs: Math.min(SETTLE_MS_MAX, this.#options.leaseMs / 2),
      context: {
        jobId: delivery.jobId,
        kind: definition.kind,
        attempt: started.number,
        run: started.run,
        schedule: slotOf(started),
        signal,
        fencingToken: BigInt(started.token),
        logger,
        children,
        childResult: childResultReader(quorum, children, signal),
        async heartbeat() {
          signal.throwIfAborted();
          await leases.renewNow();
          signal.throwIfAborted();
        },
      },
    });
  }

  async #finish({ delivery, started, span, logger }: Attempt, end: AttemptEnd): Promise<EndReport> {
    const { quorum, worker, givingUp } = this.#options;
    const { jobId } = delivery;
    span.setAttribute(AttributeName.AttemptOutcome, end.outcome);
    if (end.error !== null) failSpan(span, end.error.code, end.error.message);
    const body: CommandBody = {
      kind: "finish-attempt",
      jobId,
      token: started.token,
      worker,
      ...end,
    };
    const options = { traceparent: traceparentOf(span), signal: givingUp, callSignal: givingUp };
    const outcome = await proposeInsistently(quorum, body, options);
    if (outcome.kind !== "applied") {
      failSpan(span, outcome.kind, "given up: the outcome of the attempt may not be recorded");
      logger.error({ outcome: end.outcome }, "given up recording the outcome: the lease will end");
      return LEFT;
    }
    const { result } = outcome.applied;
    if (result?.$case === "finished") {
      if (end.error === null) logger.debug({ outcome: end.outcome }, "attempt ended");
      else logger.warn({ outcome: end.outcome, error: end.error }, "attempt ended");
      return { kind: "recorded", ...result.value };
    }
    const report = refusedReport(result);
    const isSilent = end.outcome === "handed-back" || end.error?.code === ErrorCode.DeadlinePassed;
    if (result?.$case === "fenced" && isSilent) {
      logger.debug({ token: started.token }, "attempt over: there was nothing to record");
      return report;
    }
    const answer = result?.$case ?? "none";
    failSpan(span, answer, `the ledger refused the outcome of token ${started.token}`);
    logger.warn(
      { outcome: end.outcome, answer, token: started.token, current_token: report.currentToken },
      "outcome refused: this attempt was not the current one",
    );
    return report;
  }
}

function slotOf({ scheduleId, slotMs, triggeredMs }: Started): AttemptContext["schedule"] {
  if (scheduleId === "") return null;
  const isTriggered = slotMs === 0;
  return { id: scheduleId, slotTime: new Date(isTriggered ? triggeredMs : slotMs), isTriggered };
}

const REFUSALS: Readonly<Record<StartRefused_Reason, string>> = {
  [StartRefused_Reason.REASON_UNSPECIFIED]: "unspecified",
  [StartRefused_Reason.REASON_FINISHED]: "finished",
  [StartRefused_Reason.REASON_CANCELLED]: "cancelled",
  [StartRefused_Reason.REASON_HELD]: "held",
  [StartRefused_Reason.REASON_LOCKED]: "locked",
  [StartRefused_Reason.REASON_NOT_DUE]: "not-due",
  [StartRefused_Reason.REASON_LIMITED]: "limited",
};

/** Nothing is wrong: a second delivery, or a job that waits for its lock or under a limit. */
function noteRefusal(span: Span, logger: Logger, delivery: Delivery, refused: StartRefused): void {
  const reason = REFUSALS[refused.reason];
  span.addEvent("start refused", { reason });
  logger.debug({ job_id: delivery.jobId, reason, lock_key: refused.lockKey }, "start refused");
}

function processSpan(delivery: Delivery): Span {
  return startSpan({
    name: `${SpanName.Process} ${delivery.queue}`,
    kind: SpanKind.CONSUMER,
    parent: delivery.traceparent,
    attributes: {
      [AttributeName.MessagingSystem]: "bullmq",
      [AttributeName.MessagingDestination]: delivery.queue,
      [AttributeName.MessagingOperationType]: "process",
      [AttributeName.MessagingOperationName]: SpanName.Process,
      [AttributeName.JobId]: delivery.jobId,
      [AttributeName.JobKind]: delivery.kind,
      [AttributeName.JobQueue]: delivery.queue,
    },
  });
}
