// A client that submits jobs, looks at them, cancels some and retries some.
//
// Guarantees: a submission with a key is repeated with that key, also after another gateway's
// submission of the same job; of one without, each try may become a job of its own, and the history
// names each. Does not own: running jobs (worker.ts).

import type { CommandBody, JobSpec } from "../../../ledger/command.ts";
import { bytes, kindOf, specOf } from "../../unit/ledger/world.ts";
import type { JobCall } from "../linearizability/job-call.ts";
import { Caller, type Clients } from "./caller.ts";

/**
 * Of parents and children. What becomes of one depends on the others, which the history of single
 * jobs cannot say: they are left out of it, and looked at by the ledger's invariants alone.
 */
export const FAMILY_KIND = "family";
const FAMILY_SHARE = 0.06;

export const KINDS = [
  kindOf({
    backoff: { initialMs: 50, multiplier: 2, maxMs: 1_000, jitter: 0.5 },
    attemptTimeoutMs: 8_000,
  }),
  kindOf({ kind: "print", queue: "paper", maxAttempts: 2, lockTemplates: ["doc:{doc}"] }),
  kindOf({
    kind: "now",
    queue: "fast",
    maxAttempts: 4,
    backoff: { initialMs: 0, multiplier: 1, maxMs: 0, jitter: 0.5 },
  }),
  kindOf({ kind: FAMILY_KIND, maxAttempts: 2 }),
];

type SubmitCall = Extract<JobCall, { kind: "submit" }>;

interface Submission {
  readonly spec: JobSpec;
  readonly call: SubmitCall;
}

/** What all gateways share: jobs that were heard of, and submissions that may come again. */
export class JobBoard {
  readonly ids: string[] = [];
  readonly submissions: Submission[] = [];
  /** The topmost jobs of families. */
  readonly families: string[] = [];
  /** What was asked for under a key. */
  readonly keyedFamilies: (readonly JobSpec[])[] = [];
  count = 0;
}

export class Gateway {
  readonly #clients: Clients;
  readonly #board: JobBoard;
  #caller: Caller;
  #life = 0;
  readonly #name: string;
  isDraining = false;

  constructor(clients: Clients, board: JobBoard, name: string) {
    this.#clients = clients;
    this.#board = board;
    this.#name = name;
    this.#caller = new Caller(clients, name);
  }

  /** Kinds are registered first: by every gateway, which changes nothing the second time. */
  start(): void {
    const life = this.#life;
    this.#caller.command(
      { kind: "register-kinds", kinds: KINDS },
      () => null,
      (outcome) => {
        if (life !== this.#life) return;
        if (outcome === null) this.start();
        else this.#thinkThenAct();
      },
    );
  }

  /** What it has called stays unanswered; it begins anew under the same name. */
  crash(): void {
    this.#life += 1;
    this.#caller.isStopped = true;
    this.#caller = new Caller(this.#clients, `${this.#name}.${this.#life}`);
    const { sim } = this.#clients;
    sim.scheduler.after(sim.random.workload.between(50, 1000), () => this.start());
  }

  #thinkThenAct(): void {
    const { sim } = this.#clients;
    const life = this.#life;
    const { thinkMs } = sim.options.workload;
    sim.scheduler.after(sim.random.workload.exponential(thinkMs), () => {
      if (life === this.#life && !this.isDraining) this.#act();
    });
  }

  #act(): void {
    const { sim } = this.#clients;
    const { workload: random } = sim.random;
    const { readShare, cancelShare, retryShare } = sim.options.workload;
    const steerShare = readShare + cancelShare;
    const life = this.#life;
    const next = (): void => {
      if (life === this.#life) this.#thinkThenAct();
    };
    const draw = random.fraction();
    const known = this.#known();
    if (known !== undefined && draw < readShare) this.#caller.read(known, next);
    else if (known !== undefined && draw < steerShare) this.#cancel(known, next);
    else if (known !== undefined && draw < steerShare + retryShare) this.#retry(known, next);
    else if (random.chance(FAMILY_SHARE)) this.#meetFamily(next);
    else this.#submit(next);
  }

  /** Mostly a recent one: old jobs have ended. */
  #known(): string | undefined {
    const { ids } = this.#board;
    const { workload: random } = this.#clients.sim.random;
    return random.chance(0.8) ? random.pick(ids.slice(-8)) : random.pick(ids);
  }

  #cancel(jobId: string, next: () => void): void {
    this.#caller.command(
      { kind: "cancel-job", jobId, reason: "asked" },
      () => ({ kind: "cancel", jobId }),
      next,
    );
  }

  /** Mostly of what has ended without a result, as far as some replica knows. */
  #retry(known: string, next: () => void): void {
    const { sim } = this.#clients;
    const { workload: random } = sim.random;
    const ledger = random.one(sim.hosts).life?.replica.ledger;
    const isEnded = (id: string): boolean =>
      ["failed", "cancelled"].includes(ledger?.jobs.get(id)?.state ?? "");
    const jobId = this.#board.ids.slice(-20).findLast(isEnded) ?? known;
    this.#board.count += 1;
    const requestId = `retry-${this.#board.count}`;
    this.#caller.command(
      { kind: "retry-job", jobId, requestId },
      () => ({ kind: "retry", jobId, requestId }),
      (outcome) => {
        if (outcome?.kind === "retried") sim.tally.add("count.retries");
        next();
      },
    );
  }

  /** A new one, or the end of one of those that there are. */
  #meetFamily(next: () => void): void {
    const { workload: random } = this.#clients.sim.random;
    const known = random.pick(this.#board.families.slice(-4));
    const isEnd = known !== undefined && random.chance(0.2);
    const body: CommandBody = isEnd
      ? { kind: "cancel-job", jobId: known, reason: "asked" }
      : { kind: "submit-jobs", jobs: this.#family() };
    this.#caller.command(
      body,
      () => null,
      (outcome) => {
        if (outcome?.kind === "submitted") {
          this.#board.families.push(outcome.jobId);
          this.#clients.sim.tally.add("count.families");
        }
        next();
      },
    );
  }

  /** Where keys outlive their jobs, some have one, and come again. */
  #family(): readonly JobSpec[] {
    const { options, random } = this.#clients.sim;
    const family = this.#newFamily();
    if (options.retentions.length === 0) return family;
    const { keyedFamilies } = this.#board;
    const earlier = random.limits.pick(keyedFamilies.slice(-4));
    if (earlier !== undefined && random.limits.chance(0.3)) return earlier;
    this.#board.count += 1;
    const idempotencyKey = `family-${this.#board.count}`;
    const keyed = family.map((spec) => (spec.parent === 0 ? { ...spec, idempotencyKey } : spec));
    keyedFamilies.push(keyed);
    return keyed;
  }

  /** Each but the first is the child of one before it. */
  #newFamily(): JobSpec[] {
    const { workload: random } = this.#clients.sim.random;
    const { lockKeys } = this.#clients.sim.options.workload;
    return Array.from({ length: random.whole(2, 6) }, (_, at) =>
      specOf({
        kind: FAMILY_KIND,
        parent: at === 0 ? 0 : random.whole(1, at),
        onChildFailure: random.chance(0.5) ? "run-parent" : "fail-parent",
        lockKeys: random.chance(0.2) ? [`k${random.whole(1, lockKeys)}`] : [],
      }),
    );
  }

  #submit(next: () => void): void {
    const { workload: random } = this.#clients.sim.random;
    // Old ones are of interest only where jobs are forgotten.
    const back = this.#clients.sim.options.retentions.length > 0 ? 80 : 12;
    const earlier = random.pick(this.#board.submissions.slice(-back));
    const isAgain = earlier !== undefined && random.chance(0.15);
    const { spec, call } = isAgain ? this.#again(earlier) : this.#newSubmission();
    const body = { kind: "submit-jobs", jobs: [spec] } as const;
    // Without a key each copy may be a job of its own: the history gives each a name.
    const told = (copy: string): JobCall =>
      spec.idempotencyKey === "" ? { ...call, key: `${call.key} ${copy}` } : call;
    this.#caller.command(body, told, (outcome) => {
      if (outcome?.kind === "submitted") this.#board.ids.push(outcome.jobId);
      next();
    });
  }

  /** Where keys outlive their jobs, now and then another job under the same key: a mistake. */
  #again(earlier: Submission): Submission {
    const { options, random } = this.#clients.sim;
    if (options.retentions.length === 0 || random.limits.chance(0.8)) return earlier;
    const { spec, call } = earlier;
    return {
      spec: { ...spec, payload: bytes({ doc: "d1", number: "another" }) },
      call: { ...call, spec: `${call.spec} another` },
    };
  }

  /** With an operator of queues, some are under concurrency keys, and some more urgent. */
  #limited(): Partial<JobSpec> {
    const { options, random } = this.#clients.sim;
    const { limits: draw } = random;
    if (options.workload.queueOperators === 0) return {};
    const keys = [1, 2].map((place) => ({ key: `c${place}`, limit: draw.whole(1, 3) }));
    const concurrencyKeys = draw.shuffled(keys).slice(0, draw.one([0, 0, 1, 1, 2]));
    return { concurrencyKeys, priority: draw.one([0, 0, 0, 1, 5]) };
  }

  #newSubmission(): Submission {
    const { sim } = this.#clients;
    const { workload: random } = sim.random;
    const { keyShare, lockKeys } = sim.options.workload;
    this.#board.count += 1;
    const number = this.#board.count;
    const kind = random.one(["mail", "mail", "print", "now"]);
    const maxAttempts = random.whole(1, 4);
    const hasKey = random.chance(keyShare);
    const isDelayed = random.chance(0.1);
    const runAtMs = isDelayed
      ? Math.floor(1_700_000_000_000 + sim.scheduler.nowMs + random.between(100, 4000))
      : 0;
    const spec = specOf({
      kind,
      payload: bytes({ doc: `d${random.whole(1, lockKeys)}`, number }),
      lockKeys: random.chance(0.4) ? [`k${random.whole(1, lockKeys)}`] : [],
      runAtMs,
      maxAttempts,
      idempotencyKey: hasKey ? `key-${number}` : "",
      ...this.#limited(),
    });
    const call: SubmitCall = {
      kind: "submit",
      key: `key-${number}`,
      spec: `${number}`,
      maxAttempts,
      isDelayed,
    };
    const submission = { spec, call };
    if (hasKey) this.#board.submissions.push(submission);
    return submission;
  }
}
