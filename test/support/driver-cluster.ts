// Drivers of one cluster in this process: the real core and ledger, disks in memory, and a network
// that is a turn of the event loop and can be cut.
//
// Guarantees: whatever a driver tells its ports is kept, and `until` looks again after each of it.
// Does not own: bytes on the wire (transport/amqp), bytes on a disk (transport/disk).

import { EventEmitter, once } from "node:events";
import type { CommandBody } from "../../ledger/command.ts";
import type { Answer, Read } from "../../protos/gen/node/v1/exchange.ts";
import type { Message, NodeId } from "../../raft/message.ts";
import { commandBodyToWire } from "../../transport/command-codec.ts";
import { Driver } from "../../transport/driver.ts";
import type { JobEvent } from "../../transport/quorum.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { MemoryLogStore } from "./memory-log-store.ts";

export const REPLY_TO = "reply";
const TIMING = { electionTimeoutMinMs: 100, electionTimeoutMaxMs: 200, heartbeatIntervalMs: 20 };

export interface Sent {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

/** One life of one node, and all that it said. */
export interface Member {
  readonly id: NodeId;
  readonly store: MemoryLogStore;
  readonly driver: Driver;
  readonly answers: Map<number, Answer["answer"]>;
  readonly announced: number[];
  readonly events: JobEvent[];
  /** In the order told: true when it leads, false when it does not any more. */
  readonly leading: boolean[];
  readonly fatal: unknown[];
}

export class DriverCluster {
  readonly members = new Map<NodeId, Member>();
  readonly sent: Sent[] = [];
  /** With whom nobody can talk. */
  readonly cut = new Set<NodeId>();
  /** False: the message is lost. */
  passes: (sent: Sent) => boolean = () => true;
  readonly #voters: readonly NodeId[];
  readonly #changes = new EventEmitter();
  #callId = 0;
  #seed = 1;

  constructor(voters: readonly NodeId[]) {
    this.#voters = voters;
    this.#changes.setMaxListeners(0);
  }

  start(id: NodeId, store = new MemoryLogStore()): Member {
    this.#seed += 1;
    const told = this.#told.bind(this);
    store.onAsked = () => told();
    const driver = new Driver({
      cluster: "test",
      nodeId: id,
      voters: this.#voters,
      timing: TIMING,
      seed: this.#seed,
      store,
      logger: silentLogger(),
      onChanges: () => told(),
      onLeading: (isLeading) => told(member.leading.push(isLeading)),
      onFatal: (cause) => told(member.fatal.push(cause)),
    });
    const recorded = { answers: new Map(), announced: [], events: [], leading: [], fatal: [] };
    const member: Member = { id, store, driver, ...recorded };
    this.members.set(id, member);
    const port = { dropped: () => ({}), close: () => Promise.resolve() };
    driver.start(
      { ...port, send: (to, message) => this.#carry({ from: id, to, message }), incarnationOf },
      {
        ...port,
        answer: (_replyTo, { callId, answer }) => told(member.answers.set(callId, answer)),
        announce: (term) => told(member.announced.push(term)),
        publishEvents: (events) => {
          for (const event of events) member.events.push(event);
          told();
        },
      },
    );
    return member;
  }

  startAll(): this {
    for (const id of this.#voters) this.start(id);
    return this;
  }

  /** As a power cut: what was not durable is lost. The disk is left for the next life. */
  crash({ id, driver, store }: Member): MemoryLogStore {
    this.members.delete(id);
    driver.stop();
    return store.reopen();
  }

  stop(): void {
    for (const { driver } of this.members.values()) driver.stop();
  }

  /** Resolves when it holds, looked at after each thing that a driver tells. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await once(this.#changes, "told");
  }

  /** The one that leads; of several, that of the latest term. */
  async leader(isRight: (member: Member) => boolean = () => true): Promise<Member> {
    let found: Member | undefined;
    await this.until(() => {
      found = [...this.members.values()]
        .filter((member) => member.driver.status().isLeading && isRight(member))
        .sort((left, right) => right.driver.status().term - left.driver.status().term)[0];
      return found !== undefined;
    });
    if (found === undefined) throw new Error("until holds");
    return found;
  }

  /** Calls without waiting; the id of the call, under which the answer will be. */
  propose(member: Member, body: CommandBody): number {
    this.#callId += 1;
    const call = { $case: "propose", value: commandBodyToWire(body) } as const;
    member.driver.called(REPLY_TO, [
      { callId: this.#callId, deadlineMs: 0, traceparent: "", call },
    ]);
    return this.#callId;
  }

  read(member: Member, value: Read = { read: { $case: "cluster", value: {} } }): number {
    this.#callId += 1;
    const call = { $case: "read", value } as const;
    member.driver.called(REPLY_TO, [
      { callId: this.#callId, deadlineMs: 0, traceparent: "", call },
    ]);
    return this.#callId;
  }

  async answerTo({ answers }: Member, callId: number): Promise<Answer["answer"]> {
    await this.until(() => answers.has(callId));
    return answers.get(callId);
  }

  #carry(sent: Sent): void {
    this.#told(this.sent.push(sent));
    setImmediate(() => {
      const { from, to, message } = sent;
      if (this.cut.has(from) || this.cut.has(to) || !this.passes(sent)) return;
      const target = this.members.get(to);
      if (target === undefined) this.members.get(from)?.driver.unreachable(to);
      else target.driver.received(from, message);
    });
  }

  #told(_recorded?: unknown): void {
    this.#changes.emit("told");
  }
}

function incarnationOf(): number {
  return 1;
}

const BACKOFF = { initialMs: 1, multiplier: 1, maxMs: 1 };

/** The kind of all that `submission` submits. */
export const REGISTRATION: CommandBody = {
  kind: "register-kinds",
  kinds: [
    {
      kind: "mail",
      queue: "mail",
      maxAttempts: 3,
      backoff: BACKOFF,
      attemptTimeoutMs: 0,
      lockTemplates: [],
    },
  ],
};

const EMPTY_PAYLOAD = Buffer.from("{}", "utf8");

export function submission(count = 1, runAtMs = 0, payload = EMPTY_PAYLOAD): CommandBody {
  const job = {
    kind: "mail",
    queue: "",
    payload,
    priority: 0,
    runAtMs,
    maxAttempts: 0,
    backoff: null,
    attemptTimeoutMs: 0,
    lockKeys: [],
    idempotencyKey: "",
    traceparent: "",
  };
  return { kind: "submit-jobs", jobs: Array.from({ length: count }, () => job) };
}

/** What became of jobs that were submitted; null: something else was answered. */
export function submittedIds(answer: Answer["answer"]): readonly string[] | null {
  if (answer?.$case !== "applied" || answer.value.result?.$case !== "submitted") return null;
  return answer.value.result.value.jobs.map(({ jobId }) => jobId);
}
