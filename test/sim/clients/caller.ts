// One client's calls: to the node that it takes for the leader, again after a silence.
//
// Guarantees: each try is an operation of its own in the history; the same call is repeated with
// the same key, start id or token. Gives up after some tries: the outcome is unknown then.
// Does not own: what is called when (gateway.ts, worker.ts).

import type { CommandBody } from "../../../ledger/command.ts";
import type { Answer, Applied } from "../answer.ts";
import type { Host } from "../host.ts";
import type { JobCall, JobOutcome } from "../linearizability/job-call.ts";
import type { Sim } from "../sim.ts";
import { CallNet, type NodeCall } from "./call-net.ts";
import type { Oracle } from "./oracle.ts";
import type { Recorder } from "./recorder.ts";

/** What the history says of one copy of a call; null: nothing, it concerns no job. */
export type Told = (copy: string) => JobCall | null;

/** null: given up. */
export type Done = (outcome: Applied | null) => void;

export interface Clients {
  readonly sim: Sim;
  readonly recorder: Recorder;
  readonly oracle: Oracle;
}

const TRIES_MAX = 12;

export class Caller {
  readonly name: string;
  isStopped = false;
  readonly #clients: Clients;
  readonly #net: CallNet;
  #leader: Host | null = null;

  constructor(clients: Clients, name: string) {
    this.#clients = clients;
    this.name = name;
    this.#net = new CallNet(clients.sim);
  }

  command(body: CommandBody, told: Told, done: Done): void {
    this.#try({ kind: "command", body }, told, done, 1);
  }

  read(jobId: string, done: Done): void {
    this.#try({ kind: "read", jobId }, () => ({ kind: "get", jobId }), done, 1);
  }

  #try(call: NodeCall, told: Told, done: Done, count: number): void {
    if (this.isStopped) return;
    const { sim, recorder, oracle } = this.#clients;
    if (count > TRIES_MAX) {
      sim.tally.add("clients.given-up");
      done(null);
      return;
    }
    const host = this.#chooseHost(call);
    const recorded = told(`${count}`);
    const operation = recorded === null ? null : recorder.begin(this.name, recorded);
    const floor = oracle.acknowledgedIndex;
    let isOver = false;
    const again = (delayMs: number): void => {
      isOver = true;
      sim.scheduler.after(delayMs, () => this.#try(call, told, done, count + 1));
    };
    const answered = (answer: Answer): void => {
      if (answer.kind === "refused") {
        if (answer.reason !== "unknown" && operation !== null) operation.isVoid = true;
        if (isOver) return;
        this.#leader = this.#hostOf(answer.leader);
        again(sim.random.workload.between(5, 120));
        return;
      }
      if (answer.kind === "done") return;
      const { outcome } = answer;
      if (operation !== null) recorder.answered(operation, outcome as JobOutcome);
      if (answer.kind === "read") oracle.readAnswered(recorded, answer.appliedIndex, floor);
      else oracle.acknowledged(recorded, answer.index, outcome);
      if (isOver) return;
      isOver = true;
      if (call.kind === "command") this.#leader = host;
      sim.tally.add("count.client-operations");
      done(outcome);
    };
    const copied = (): void => {
      const copy = told(`${count} copy`);
      if (copy !== null) recorder.begin(`${this.name} copy`, copy);
    };
    this.#net.send(host, call, answered, copied);
    sim.scheduler.after(this.#timeoutMs(), () => {
      if (isOver) return;
      sim.tally.add("clients.unknown");
      this.#leader = null;
      again(0);
    });
  }

  #timeoutMs(): number {
    const { sim } = this.#clients;
    return sim.options.electionTimeoutMs.max * sim.random.workload.between(0.8, 3);
  }

  #chooseHost(call: NodeCall): Host {
    const { sim } = this.#clients;
    const { workload: random } = sim.random;
    const isAny = call.kind === "read" && random.chance(0.6);
    if (this.#leader !== null && !isAny) return this.#leader;
    return random.one(sim.hosts);
  }

  #hostOf(id: string | null): Host | null {
    return id === null ? null : (this.#clients.sim.hosts.find((host) => host.id === id) ?? null);
  }
}
