// Cheap truths about what clients were told, checked at once and at the end.
//
// Guarantees: what is acknowledged is committed at that moment, is in the final ledger once, and
// stays; a read has applied all that was acknowledged before it began (I14); a key names one job
// for ever (I15); a token is given once; a run of a job ends as it was told (I16, I17).
// Does not own: the order of everything (linearizability/).

import { isTerminal } from "../../../ledger/job.ts";
import type { LogIndex } from "../../../raft/message.ts";
import type { Applied } from "../answer.ts";
import type { JobCall } from "../linearizability/job-call.ts";
import type { Sim } from "../sim.ts";
import { demand } from "../violation.ts";

export class Oracle {
  /** The highest index that any client was told of. */
  acknowledgedIndex: LogIndex = 0;
  readonly #sim: Sim;
  /** Key to the job that it was told. */
  readonly #submitted = new Map<string, string>();
  /** Jobs that were told to have ended, by the token of the attempt that ended them. */
  readonly #finished = new Map<string, { readonly ending: string; readonly token: number }>();
  readonly #tokens = new Map<number, string>();

  constructor(sim: Sim) {
    this.#sim = sim;
  }

  get submittedIds(): readonly string[] {
    return [...this.#submitted.values()];
  }

  acknowledged(call: JobCall | null, index: LogIndex, outcome: Applied): void {
    const { history } = this.#sim.checker;
    demand(index <= history.length, "I6 acknowledged-uncommitted", `index ${index}`);
    this.acknowledgedIndex = Math.max(this.acknowledgedIndex, index);
    if (call === null) return;
    if (outcome.kind === "submitted" && call.kind === "submit") {
      const known = this.#submitted.get(call.key);
      // Whose job is forgotten may name another, as check/retention-check.ts says when.
      const isFree = known !== undefined && this.#isForgotten(known);
      const isSame = known === undefined || known === outcome.jobId || isFree;
      demand(isSame, "I15 one-job-a-key", `${call.key} is ${known} and ${outcome.jobId}`);
      this.#submitted.set(call.key, outcome.jobId);
      this.#sim.tally.add("count.submissions");
    }
    if (outcome.kind === "started" && call.kind === "start") {
      const owner = `${call.jobId} ${call.startId}`;
      const known = this.#tokens.get(outcome.token);
      const isOnce = known === undefined || known === owner;
      demand(isOnce, "I16 token-once", `${outcome.token} is ${known}'s and ${owner}'s`);
      this.#tokens.set(outcome.token, owner);
      this.#sim.tally.add("count.attempts-started");
    }
    if (outcome.kind === "finished" && call.kind === "finish" && isTerminal(outcome.state)) {
      const ending = `${outcome.state} ${call.body}`;
      const known = this.#finished.get(call.jobId);
      // What has succeeded has no other run; a failure may be of another run than a later end.
      const isOther = known !== undefined && known.token !== call.token;
      const isSame = known === undefined || known.ending === ending;
      const isLegal = isOther ? !this.#hasTwoEnds(known, outcome.state, call.token) : isSame;
      demand(isLegal, "I16 one-result", `${call.jobId} ends ${known?.ending} and ${ending}`);
      if (known === undefined || known.token < call.token) {
        this.#finished.set(call.jobId, { ending, token: call.token });
      }
      this.#sim.tally.add("count.results");
    }
    if (outcome.kind === "fenced") this.#sim.tally.add("count.fenced");
  }

  /** Only failures are followed by another run. */
  #hasTwoEnds(known: { ending: string; token: number }, state: string, token: number): boolean {
    const earlier = known.token < token ? known.ending : state;
    return earlier.startsWith("succeeded");
  }

  readAnswered(call: JobCall | null, appliedIndex: LogIndex, floor: LogIndex): void {
    demand(appliedIndex >= floor, "I14 stale-read", () => {
      return `${call?.kind} at ${appliedIndex}, ${floor} was acknowledged before`;
    });
    this.#sim.tally.add("count.reads");
  }

  #isForgotten(jobId: string): boolean {
    return this.#sim.checker.watch.retention.isForgotten(jobId);
  }

  /** After everything: what was promised is there. */
  finalCheck(): void {
    const { canon } = this.#sim.checker.history;
    const { jobs } = canon.ledger;
    const byKey = new Map<string, number>();
    for (const { idempotencyKey: key } of jobs) {
      if (key !== "") byKey.set(key, (byKey.get(key) ?? 0) + 1);
    }
    for (const [key, jobId] of this.#submitted) {
      const job = jobs.get(jobId);
      if (job === undefined && this.#isForgotten(jobId)) continue;
      demand(job !== undefined, "durability", `${jobId} was accepted, and is not there`);
      const isKeyed = job.idempotencyKey !== "";
      const isOnce = !isKeyed || (job.idempotencyKey === key && byKey.get(key) === 1);
      demand(isOnce, "I15 one-job-a-key", `${key}: ${byKey.get(key)} jobs`);
    }
    for (const [jobId, { ending }] of this.#finished) {
      const job = jobs.get(jobId);
      if (job === undefined && this.#isForgotten(jobId)) continue;
      demand(job !== undefined, "durability", `${jobId} has ended, and is not there`);
      const isRetried = job.run > 1 && !ending.startsWith("succeeded");
      const isSame = isRetried || ending.startsWith(`${job.state} `);
      demand(isSame, "I17 terminal-stays", `${jobId}: ${ending}, now ${job.state}`);
    }
  }
}
