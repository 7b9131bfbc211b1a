// A remote worker that does whatever workers do, good or bad, as its dice say: succeeds, fails,
// hands back, says all twice, falls silent and finishes late, drops its stream and comes back.
//
// Guarantees: all that it was answered is in `answers`; `stop` ends it after its last attempt has
// been answered or given up.

import type { AttemptStart, WorkerKind } from "../../protos/gen/quorumq/v1/worker_service.ts";
import type { JobsConnection } from "../../transport/grpc/client.ts";
import type { Dice } from "../chaos/dice.ts";
import { RemoteWorker } from "./remote-worker.ts";

export interface SwarmAnswer {
  readonly jobId: string;
  readonly token: number;
  readonly kind: "finished" | "fenced";
  readonly state: number;
}

export interface SwarmOptions {
  readonly workerId: string;
  readonly connection: JobsConnection;
  readonly kinds: WorkerKind[];
  readonly leaseMs: number;
  readonly dice: Dice;
}

export class SwarmWorker {
  readonly answers: SwarmAnswer[] = [];
  /** Resolves when it takes jobs for the first time. */
  readonly begun: Promise<void>;
  readonly #begun = Promise.withResolvers<void>();
  readonly #options: SwarmOptions;
  readonly #live = new Map<number, AttemptStart>();
  readonly #silent = new Set<number>();
  readonly #heartbeats: NodeJS.Timeout;
  #remote: RemoteWorker;
  #isStopped = false;

  constructor(options: SwarmOptions) {
    this.#options = options;
    this.begun = this.#begun.promise;
    this.#remote = this.#open([]);
    this.#heartbeats = setInterval(() => {
      const named = [...this.#live.values()].filter(({ token }) => !this.#silent.has(token));
      this.#remote.heartbeat(...named);
    }, options.leaseMs / 4);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#heartbeats);
    await this.#remote.break();
  }

  #open(resume: readonly AttemptStart[]): RemoteWorker {
    const { workerId, connection, kinds, leaseMs } = this.#options;
    const remote = new RemoteWorker(connection, {
      workerId,
      kinds,
      concurrency: 5,
      lease: { seconds: 0, nanos: leaseMs * 1e6 },
      resume: resume.map(({ jobId, token, traceparent }) => ({ jobId, token, traceparent })),
    });
    void this.#follow(remote);
    return remote;
  }

  async #follow(remote: RemoteWorker): Promise<void> {
    for await (const message of remote.messages()) {
      switch (message.$case) {
        case "welcome":
          this.#begun.resolve();
          break;
        case "start":
          this.#live.set(message.value.token, message.value);
          this.#run(message.value);
          break;
        case "abort":
          // A silent one finishes all the same, to be refused or to be just in time.
          if (!this.#silent.has(message.value.token)) this.#live.delete(message.value.token);
          break;
        case "finished":
        case "fenced": {
          const { jobId, token, state } = message.value;
          this.answers.push({ jobId, token, kind: message.$case, state });
          break;
        }
        default:
      }
    }
  }

  #run(start: AttemptStart): void {
    const { dice, leaseMs } = this.#options;
    const deed = dice.from(DEEDS);
    const succeed = (): void => this.#remote.succeed(start, { token: start.token });
    const acts: Readonly<Record<Deed, () => void>> = {
      succeed,
      twice: () => {
        succeed();
        succeed();
      },
      fail: () => this.#remote.fail(start, "Dice", true),
      "hand back": () => {
        this.#remote.finish(start, { $case: "handedBack", value: { message: "by the dice" } });
      },
      silent: succeed,
      "break and resume": () => void this.#reopen([...this.#live.values()], succeed),
      break: () => void this.#reopen([], succeed),
    };
    if (deed === "silent") this.#silent.add(start.token);
    // From before anybody has noticed to after another one has it.
    const silentMs = leaseMs * (1 + dice.below(3) / 2);
    const act = (): void => {
      if (this.#isStopped) return;
      acts[deed]();
      this.#live.delete(start.token);
      this.#silent.delete(start.token);
    };
    setTimeout(act, deed === "silent" ? silentMs : dice.below(30));
  }

  /** What is live goes on running; what is not resumed is only finished by its token. */
  async #reopen(resume: readonly AttemptStart[], succeed: () => void): Promise<void> {
    await this.#remote.break();
    if (this.#isStopped) return;
    this.#remote = this.#open(resume);
    succeed();
  }
}

const DEEDS = [
  ...(["succeed", "succeed", "succeed", "succeed", "succeed", "succeed"] as const),
  ...(["twice", "fail", "hand back", "silent", "break and resume", "break"] as const),
];
type Deed = (typeof DEEDS)[number];
