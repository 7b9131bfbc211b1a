// One remote worker for the time of one stream: a worker of this process whose handlers are the
// messages to and from the stream.
//
//   hello ──▶ resume ──▶ register ──▶ welcome ──▶ start … finish ──▶ drained
//                                        └──▶ move, or the stream breaks: attempts are left
//
// Guarantees: every finish is put before the ledger and answered once, whether its attempt is known
// here or not. An attempt that no heartbeat names for a lease is aborted and no longer renewed, so
// that the ledger ends it within another; so are all when the stream breaks, unless the worker
// comes back to them first.
// Does not own: start, locks, leases and drains (../worker.ts), nor the stream (work.ts).

import type { CommandBody } from "../../ledger/command.ts";
import type {
  AttemptFinish,
  AttemptResume,
  WorkerHeartbeat,
  WorkResponse,
} from "../../protos/gen/quorumq/v1/worker_service.ts";
import { WORKER_REPORTS_MAX } from "../../transport/limit.ts";
import type { Quorum } from "../../transport/quorum.ts";
import { refusal } from "../../transport/reason.ts";
import type { Logger } from "../../transport/telemetry/logger.ts";
import { durationOf } from "../../transport/wire-value.ts";
import { AttemptAborted } from "../attempt-aborted.ts";
import { type AttemptRef, type EndReport, refusedReport } from "../attempt-report.ts";
import { proposeInsistently } from "../insistent-propose.ts";
import { type AttemptEnd, handedBack } from "../outcome.ts";
import { type RelayedAttempt, relayedDefinition, SILENT } from "../relay.ts";
import { createWorkerOn, type WorkerOn } from "../worker.ts";
import {
  abortOf,
  checkFinish,
  checkHeartbeat,
  fencedOf,
  finishedOf,
  nameOf,
  startOf,
} from "./attempt-message.ts";
import type { Hello } from "./hello.ts";
import { Outbox } from "./outbox.ts";
import { RemoteAttempt } from "./remote-attempt.ts";
import { findResumed } from "./resume.ts";

export interface SessionOptions {
  readonly hello: Hello;
  readonly quorum: Quorum;
  readonly redis: { readonly url: string; readonly cluster: string };
  readonly logger: Logger;
}

/** Of the lease: how often to heartbeat, and how often to look for silence. */
const HEARTBEAT_PART = 1 / 3;
const LOOK_PART = 1 / 20;
/** No grace of a worker's own: it is ended when the stream is. */
const ENDLESS_MS = 2 ** 31 - 1;

export class WorkerSession {
  readonly outbox = new Outbox<WorkResponse>();
  readonly #options: SessionOptions;
  readonly #worker: WorkerOn;
  readonly #logger: Logger;
  /** By name. Kept until the worker has reported how it ended. */
  readonly #attempts = new Map<string, RemoteAttempt>();
  /** Resumed, and not yet handed to the relay. */
  readonly #resuming = new Set<string>();
  readonly #over = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #lookedMs = performance.now();
  #reportCount = 0;
  #moveTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    const { hello, quorum, redis } = options;
    this.#options = options;
    this.#logger = options.logger.child({ remote_worker: hello.workerId });
    this.#worker = createWorkerOn(quorum, {
      jobs: hello.kinds.map((kind) => relayedDefinition(kind, (given) => this.#relay(given))),
      id: hello.workerId,
      concurrency: hello.concurrency,
      leaseMs: hello.leaseMs,
      logger: this.#logger,
      redis,
      attemptEnded: (attempt, report) => this.#attemptEnded(attempt, report),
    });
    this.#timer = setInterval(() => this.#look(), hello.leaseMs * LOOK_PART);
  }

  get workerId(): string {
    return this.#options.hello.workerId;
  }

  /** Goes on with what the worker brings, registers its kinds, and takes jobs from then on. */
  async begin(): Promise<void> {
    const { resume, leaseMs } = this.#options.hello;
    await Promise.all(resume.map((attempt) => this.#resume(attempt)));
    await this.#worker.run();
    const value = {
      workerId: this.workerId,
      lease: durationOf(leaseMs),
      heartbeatInterval: durationOf(Math.floor(leaseMs * HEARTBEAT_PART)),
    };
    this.outbox.push({ message: { $case: "welcome", value } });
    this.#logger.info({ resumed: resume.length }, "a remote worker is at work");
  }

  heartbeat(message: WorkerHeartbeat): void {
    checkHeartbeat(message);
    const nowMs = performance.now();
    const leases = message.attempts.flatMap((attempt) => {
      const { jobId, token, progress, logLines } = attempt;
      const remote = this.#attempts.get(nameOf(attempt));
      if (remote === undefined) {
        // Also one that is just being resumed: the worker keeps it until it hears otherwise.
        const isOver = !this.#resuming.has(nameOf(attempt));
        if (isOver) this.#push(abortOf(attempt, "fenced"));
        return [];
      }
      remote.seen(nowMs);
      tell(remote.given, progress, logLines);
      return [{ jobId, token, left: durationOf(Math.floor(this.#worker.leaseLeftMs(attempt))) }];
    });
    this.#push({ $case: "heartbeat", value: { leases } });
  }

  finish(message: AttemptFinish): void {
    const end = checkFinish(message);
    const { jobId, token } = message;
    const remote = this.#attempts.get(nameOf(message));
    if (remote === undefined) this.#report({ jobId, token }, end);
    // A second one is answered with the first.
    else remote.finish(end);
  }

  /** Resolves when the worker has nothing left; then the stream ends well. */
  async drain(graceMs: number): Promise<void> {
    await this.#worker.close({ graceMs });
    this.#push({ $case: "drained", value: {} });
    this.outbox.end();
  }

  /** The worker should open another stream, and is waited for so long. */
  move(patienceMs: number): void {
    if (this.#moveTimer !== undefined) return;
    this.#push({ $case: "move", value: {} });
    void this.#worker.close({ graceMs: ENDLESS_MS });
    this.#moveTimer = setTimeout(() => {
      const message = `worker ${this.workerId} was asked to open another stream, and has not`;
      this.outbox.fail(refusal("SHUTTING_DOWN", message, { metadata: { worker: this.workerId } }));
    }, patienceMs);
  }

  /** The stream is over. What still runs is left to its lease. */
  async end(): Promise<void> {
    this.#over.abort();
    this.outbox.end();
    clearInterval(this.#timer);
    clearTimeout(this.#moveTimer);
    for (const attempt of this.#attempts.values()) attempt.leave();
    await this.#worker.close({ graceMs: 0 });
    this.#logger.info("a remote worker has gone");
  }

  async #resume(attempt: AttemptResume): Promise<void> {
    const found = await findResumed(this.#options.quorum, this.workerId, attempt);
    // Nobody would renew it, nor hear of it.
    if (this.#over.signal.aborted) return;
    if (found.kind === "over") {
      this.#push(abortOf(attempt, found.why));
      return;
    }
    const { started, traceparent } = found;
    const { kind, queue } = started;
    if (!this.#options.hello.kinds.some((known) => known.kind === kind)) {
      // Nobody is left who would run it; its lease ends.
      this.#push(abortOf(attempt, "lease-lapsed"));
      return;
    }
    this.#resuming.add(nameOf(attempt));
    this.#worker.resume({ jobId: attempt.jobId, kind, queue, traceparent }, started);
  }

  /** The worker's handler for each kind. */
  async #relay(given: RelayedAttempt): Promise<AttemptEnd | typeof SILENT> {
    const ref = { jobId: given.jobId, token: given.started.token };
    const isResumed = this.#resuming.delete(nameOf(ref));
    const { signal } = given;
    if (!isResumed && (this.#over.signal.aborted || signal.aborted)) {
      return handedBack(whyAborted(signal));
    }
    if (this.#over.signal.aborted) return SILENT;
    const attempt = new RemoteAttempt(given, performance.now());
    this.#attempts.set(nameOf(ref), attempt);
    if (!isResumed) this.#push(startOf(given));
    const abort = (): void => {
      // What has been handed in gets its answer instead.
      if (attempt.outcome === null) this.#push(abortOf(ref, whyAborted(signal).why));
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    return await attempt.settled;
  }

  #attemptEnded(ref: AttemptRef, report: EndReport): void {
    // Its locks were taken by a newer attempt before it could be gone on with.
    if (this.#resuming.delete(nameOf(ref))) this.#push(abortOf(ref, "lock-lost"));
    const attempt = this.#attempts.get(nameOf(ref));
    if (attempt === undefined) return;
    this.#attempts.delete(nameOf(ref));
    attempt.leave();
    // Without an outcome the worker has been told why; what it still hands in is put on its own.
    if (attempt.outcome === null) return;
    if (report.kind === "left") this.#report(ref, attempt.outcome);
    else this.#push(answerOf(ref, report));
  }

  /** Puts an outcome before the ledger whose attempt is not, or no longer, run through here. */
  #report(ref: AttemptRef, end: AttemptEnd): void {
    if (this.#over.signal.aborted) return;
    if (this.#reportCount >= WORKER_REPORTS_MAX) {
      const message = `${WORKER_REPORTS_MAX} outcomes wait for the quorum: finish again later`;
      const metadata = { waiting: String(WORKER_REPORTS_MAX) };
      this.outbox.fail(refusal("BACKLOG_FULL", message, { metadata }));
      return;
    }
    this.#reportCount += 1;
    this.#propose(ref, end)
      .catch((error: unknown) => this.outbox.fail(error))
      .finally(() => {
        this.#reportCount -= 1;
      });
  }

  async #propose(ref: AttemptRef, end: AttemptEnd): Promise<void> {
    const { signal } = this.#over;
    const body: CommandBody = { kind: "finish-attempt", ...ref, worker: this.workerId, ...end };
    const options = { traceparent: "", signal, callSignal: signal };
    const outcome = await proposeInsistently(this.#options.quorum, body, options);
    if (outcome.kind !== "applied") return;
    const { result } = outcome.applied;
    const report: EndReport =
      result?.$case === "finished" ? { kind: "recorded", ...result.value } : refusedReport(result);
    this.#push(answerOf(ref, report));
  }

  /** An attempt that nobody has named for a lease is not waited for. */
  #look(): void {
    const nowMs = performance.now();
    const { leaseMs } = this.#options.hello;
    const asleepMs = nowMs - this.#lookedMs - 2 * leaseMs * LOOK_PART;
    this.#lookedMs = nowMs;
    for (const attempt of this.#attempts.values()) {
      if (asleepMs > 0) attempt.forgive(asleepMs);
      if (!attempt.isSilent(nowMs, leaseMs)) continue;
      const { jobId, started } = attempt.given;
      this.#logger.warn({ job_id: jobId, token: started.token }, "no heartbeat for a lease");
      this.#push(abortOf({ jobId, token: started.token }, "silent"));
      attempt.leave();
    }
  }

  #push(message: NonNullable<WorkResponse["message"]>): void {
    this.outbox.push({ message });
  }
}

function answerOf(ref: AttemptRef, report: Exclude<EndReport, { kind: "left" }>) {
  return report.kind === "recorded" ? finishedOf(ref, report) : fencedOf(ref, report);
}

function whyAborted(signal: AbortSignal): AttemptAborted {
  const reason: unknown = signal.reason;
  return reason instanceof AttemptAborted ? reason : new AttemptAborted("shutdown");
}

/** To whoever watches the job: progress as the worker's own handlers tell it. */
function tell(given: RelayedAttempt, progress: Buffer, logLines: readonly string[]): void {
  if (progress.length > 0) given.progressJson(progress);
  for (const line of logLines) given.log(line);
}
