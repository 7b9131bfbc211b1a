// The sequential specification of one job, as clients and workers see it.
//
// Guarantees: as strict as the ledger and no stricter. Each operation is the ledger's rule for one
// state; since a tick may come between any two operations, it is tried in every state that the job
// may have reached by itself. A key of a lock belongs to other jobs, too, so a queued job may find
// one held at any time.
// Does not own: several jobs at once (no two running jobs share a key: the ledger's invariants),
// time (a lease that ends early is allowed here), nor which job a key or id means (job-parts.ts).

import type { JobCall, JobOutcome, JobState, StartRefusal } from "./job-call.ts";
import { KnownJob } from "./job-state.ts";
import type { Model } from "./model.ts";

/** null: no job was accepted yet. */
export type JobKnowledge = KnownJob | null;

type CallOf<Kind extends JobCall["kind"]> = Extract<JobCall, { kind: Kind }>;
type Seen = JobOutcome | "unknown";

type StepCall = Exclude<JobCall, CallOf<"submit" | "free-key">>;

/** Nobody's limits hold a job back. */
export const jobModel = modelOf(false);

/**
 * Queues have limits and pauses, and jobs concurrency keys: a queued job may be held back at any
 * time, and a copy of a start that has had its answer is refused for whatever it waits for.
 */
export const limitedJobModel = modelOf(true);

function modelOf(isLimited: boolean): Model<JobKnowledge, JobCall, JobOutcome> {
  return {
    initial: () => null,
    key: (job) => job?.text ?? "",
    isRead: (call) => call.kind === "get",
    step: (job, call, seen) => {
      if (call.kind === "submit") return submit(job, call, seen);
      if (call.kind === "free-key") return listOf(job?.freed() ?? null);
      if (job === null || !job.isOf(call.jobId)) return isNotFound(call, seen) ? [job] : [];
      const known = job.fields.jobId === null ? job.with({ jobId: call.jobId }) : job;
      if (known.fields.isForgotten) return isNotFound(call, seen) ? [known] : [];
      const steps = known.reachable.flatMap((one) => stepOf(one, call, seen, isLimited));
      return withoutCovered(steps);
    },
  };
}

function stepOf(job: KnownJob, call: StepCall, seen: Seen, isLimited: boolean): KnownJob[] {
  switch (call.kind) {
    case "start":
      return start(job, call, seen, isLimited);
    case "forget":
      return listOf(job.forgotten());
    case "finish":
      return finish(job, call, seen);
    case "renew":
      return renew(job, call, seen);
    case "cancel":
      return cancel(job, seen);
    case "retry":
      return retry(job, call, seen);
    case "get":
      if (seen === "unknown") return [job];
      return seen.kind === "job" ? listOf(job.seenAs(seen.view)) : [];
  }
}

function submit(job: JobKnowledge, call: CallOf<"submit">, seen: Seen): JobKnowledge[] {
  const { key, spec, maxAttempts, isDelayed } = call;
  if (seen !== "unknown" && seen.kind === "submit-refused") {
    return isRefusal(job, call, seen.reason) ? [job] : [];
  }
  if (seen !== "unknown" && seen.kind !== "submitted") return [];
  const jobId = seen === "unknown" ? null : seen.jobId;
  if (job === null || job.fields.isFree) {
    if (seen !== "unknown" && seen.deduplicated) return [];
    const goneIds = job?.fields.goneIds ?? [];
    if (jobId !== null && goneIds.includes(jobId)) return [];
    return [KnownJob.accepted({ key, jobId, spec, maxAttempts }, isDelayed, goneIds)];
  }
  if (seen === "unknown") return [job];
  const isRepeat = job.fields.key === key && job.fields.spec === spec && seen.deduplicated;
  if (!isRepeat || !job.isOf(seen.jobId)) return [];
  return [job.fields.jobId === null ? job.with({ jobId }) : job];
}

function isRefusal(job: JobKnowledge, call: CallOf<"submit">, reason: string): boolean {
  const isNew = job === null || job.fields.isFree;
  if (reason === "lock-template-unfilled") return isNew;
  // A repeat has its answer, however many wait.
  if (reason === "backlog-full") return isNew;
  if (reason !== "idempotency-key-reused") return true;
  return !isNew && (job.fields.key !== call.key || job.fields.spec !== call.spec);
}

function start(
  job: KnownJob,
  { startId }: CallOf<"start">,
  seen: Seen,
  isLimited: boolean,
): KnownJob[] {
  const { attempts, refusedStartId, isParked } = job.fields;
  const refused = (reason: StartRefusal, change = {}): KnownJob[] => {
    const isSeen = seen === "unknown" || (seen.kind === "start-refused" && seen.reason === reason);
    return isSeen ? [job.with({ refusedStartId: startId, ...change })] : [];
  };
  switch (job.state) {
    case "succeeded":
    case "failed":
      return refused("finished");
    case "cancelled":
      return refused("cancelled");
    case "scheduled":
      return refused("not-due");
    case "running": {
      const isRepeat = startId !== "" && job.live?.startId === startId;
      if (!isRepeat) return refused("held");
      if (seen === "unknown") return [job];
      if (seen.kind !== "started" || seen.number !== attempts.length) return [];
      return listOf(job.withToken(seen.token));
    }
    case "queued": {
      // A late copy of a start that has had its answer starts nothing.
      const isKnown = refusedStartId === startId || attempts.some((a) => a.startId === startId);
      const limited = isLimited ? refused("limited") : [];
      if (startId !== "" && isKnown) {
        // Woken in one line it may stand in the next, without having been asked to start.
        const other = isLimited ? refused(isParked ? "held" : "locked") : [];
        return [...refused(isParked ? "locked" : "held"), ...other, ...limited];
      }
      const locked = [...refused("locked", { isParked: true }), ...limited];
      if (seen === "unknown") return [...locked, ...listOf(job.begun(null, startId))];
      if (seen.kind !== "started" || seen.number !== attempts.length + 1) return locked;
      return listOf(job.begun(seen.token, startId));
    }
  }
}

function finish(job: KnownJob, call: CallOf<"finish">, seen: Seen): KnownJob[] {
  const { token, report } = call;
  const current = job.withToken(token);
  const reported = current === null ? [] : settle(current, call, seen);
  const earlier = job.fields.attempts.find((attempt) => attempt.token === token);
  if (earlier !== undefined && earlier.answer !== null && earlier.outcomes.includes(report)) {
    const isSeen =
      seen === "unknown" || (seen.kind === "finished" && seen.state === earlier.answer);
    return isSeen ? [job] : [];
  }
  return [...reported, ...fenced(job, token, seen)];
}

/** The current attempt ends as its worker says. */
function settle(job: KnownJob, call: CallOf<"finish">, seen: Seen): KnownJob[] {
  const { report, body } = call;
  const attemptsUsed = job.fields.attemptsUsed + (report === "handed-back" ? 0 : 1);
  return endsOf(job, call, attemptsUsed)
    .filter((state) => seen === "unknown" || (seen.kind === "finished" && seen.state === state))
    .map((state) =>
      job.with({
        state,
        attemptsUsed,
        attempts: job.withLast({ outcomes: [report], answer: state }),
        result: state === "succeeded" ? body : null,
        error: state === "failed" ? body : null,
      }),
    );
}

function endsOf(job: KnownJob, call: CallOf<"finish">, attemptsUsed: number): JobState[] {
  const { maxAttempts } = job.fields;
  if (call.report === "succeeded") return ["succeeded"];
  if (call.report === "handed-back") return ["queued"];
  if (!call.isRetryable) return ["failed"];
  // Without a delay before the next attempt it is queued at once.
  if (maxAttempts === null) return ["scheduled", "queued", "failed"];
  return attemptsUsed < maxAttempts ? ["scheduled", "queued"] : ["failed"];
}

function renew(job: KnownJob, { token }: CallOf<"renew">, seen: Seen): KnownJob[] {
  if (seen === "unknown") return [job];
  if (seen.kind === "renewed") return listOf(job.withToken(token));
  return fenced(job, token, seen);
}

/** The token is not the current one: the worker is told which is, and that is another. */
function fenced(job: KnownJob, token: number, seen: Seen): KnownJob[] {
  if (seen === "unknown") return [job];
  if (seen.kind !== "fenced" || seen.state !== job.state || seen.currentToken === token) return [];
  if (job.live === null) return seen.currentToken === 0 ? [job] : [];
  return listOf(job.withToken(seen.currentToken));
}

function cancel(job: KnownJob, seen: Seen): KnownJob[] {
  if (job.state === "succeeded" || job.state === "failed") {
    const isSeen =
      seen === "unknown" || (seen.kind === "cancel-refused" && seen.state === job.state);
    return isSeen ? [job] : [];
  }
  if (seen !== "unknown" && seen.kind !== "cancelled") return [];
  if (job.state === "cancelled") return [job];
  const attempts =
    job.live === null ? job.fields.attempts : job.withLast({ outcomes: ["cancelled"] });
  return [job.with({ state: "cancelled", attempts })];
}

function retry(job: KnownJob, { requestId }: CallOf<"retry">, seen: Seen): KnownJob[] {
  const isRetried = seen === "unknown" || seen.kind === "retried";
  // Asked before: told again, done once.
  if (job.fields.retries.includes(requestId)) return isRetried ? [job] : [];
  if (job.state === "failed" || job.state === "cancelled") {
    return isRetried ? [job.rerun(requestId)] : [];
  }
  const isRefused =
    seen === "unknown" || (seen.kind === "retry-refused" && seen.state === job.state);
  return isRefused ? [job] : [];
}

/** A renewal of nothing is told to stop, as for a job that was cancelled. */
function isNotFound(call: JobCall, seen: Seen): boolean {
  if (seen === "unknown") return true;
  if (call.kind !== "renew") return seen.kind === "job-not-found";
  return seen.kind === "fenced" && seen.currentToken === 0 && seen.state === "cancelled";
}

/** Leaves out what another of the states may become by itself: that one stands for both. */
function withoutCovered(jobs: readonly KnownJob[]): readonly KnownJob[] {
  if (jobs.length < 2) return jobs;
  return jobs.filter((job, position) =>
    jobs.every((other, at) => {
      if (at === position) return true;
      if (other.text === job.text) return at > position;
      return other.reachable.every((one) => one.text !== job.text);
    }),
  );
}

function listOf<T>(item: T | null): T[] {
  return item === null ? [] : [item];
}
