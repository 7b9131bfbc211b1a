// Drivers of one cluster in this process: the real core and ledger, disks in memory, and a network
// that is a turn of the event loop and can be cut.
//
// Guarantees: whatever a driver tells its ports is kept, and `until` looks again after each of it.
// Does not own: bytes on the wire (transport/amqp), bytes on a disk (transport/disk).

import { EventEmitter, once } from "node:events";
import type { CommandBody } from "../../ledger/command.ts";
import { createLedger } from "../../ledger/ledger.ts";
import type { Administer, Answer, Call, Read } from "../../protos/gen/node/v1/exchange.ts";
import type { GetClusterResponse } from "../../protos/gen/quorumq/v1/cluster_service.ts";
import { createConfiguration } from "../../raft/configuration.ts";
import type { Message, NodeId } from "../../raft/message.ts";
import { foundingSnapshot } from "../../raft/node.ts";
import { commandBodyToWire } from "../../transport/command-codec.ts";
import { Driver, type DriverTiming } from "../../transport/driver.ts";
import type { Hello } from "../../transport/hello.ts";
import { isLockEvent } from "../../transport/lock-event.ts";
import { nameOf } from "../../transport/member-id.ts";
import type { JobEvent } from "../../transport/quorum.ts";
import type { Retention } from "../../transport/retention-keeper.ts";
import { loadLedger } from "../../transport/snapshot/ledger-load.ts";
import { silentLogger } from "../../transport/telemetry/logger.ts";
import { ledgerSpec } from "./ledger-spec.ts";
import { MemoryLogStore, type MemoryLogStoreOptions } from "./memory-log-store.ts";

export const REPLY_TO = "reply";
const QUICK: DriverTiming = {
  electionTimeoutMinMs: 100,
  electionTimeoutMaxMs: 200,
  heartbeatIntervalMs: 20,
};
/** For tests that keep this process busy for a while, in which nobody is to be deposed. */
export const PATIENT: DriverTiming = {
  electionTimeoutMinMs: 1_000,
  electionTimeoutMaxMs: 2_000,
  heartbeatIntervalMs: 40,
};

export interface Greeting {
  readonly from: NodeId;
  readonly toName: string;
  readonly hello: Hello;
}

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
  /** Those that came to somebody. */
  readonly hellos: Greeting[] = [];
  /** With whom nobody can talk. */
  readonly cut = new Set<NodeId>();
  /** False: the message is lost. */
  passes: (sent: Sent) => boolean = () => true;
  /** False: the hello is lost. */
  hears: (greeting: Greeting) => boolean = () => true;
  /** Of the nodes that are started from now on. */
  snapshotLogBytes = 2 ** 40;
  retention: Retention | null = null;
  timing = QUICK;
  readonly #voters: readonly NodeId[];
  readonly #changes = new EventEmitter();
  #callId = 0;
  #seed = 1;

  constructor(voters: readonly NodeId[]) {
    this.#voters = voters;
    this.#changes.setMaxListeners(0);
  }

  /** Without a store: a founder, on an empty disk. */
  start(id: NodeId, store = this.foundersDisk(), ledger = createLedger()): Member {
    this.#seed += 1;
    const told = this.#told.bind(this);
    store.onAsked = () => told();
    const driver = new Driver({
      cluster: "test",
      memberId: id,
      founders: this.#voters.map(nameOf),
      timing: this.timing,
      seed: this.#seed,
      store,
      ledger,
      snapshotLogBytes: this.snapshotLogBytes,
      ...(this.retention === null ? {} : { retention: this.retention }),
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
      {
        ...port,
        send: (to, message) => this.#carry({ from: id, to, message }),
        sendHello: (toName, hello) => this.#greet(id, toName, hello),
        setPeers: () => undefined,
        incarnationOf,
      },
      {
        ...port,
        answer: (_replyTo, { callId, answer }) => told(member.answers.set(callId, answer)),
        announce: (term) => told(member.announced.push(term)),
        publishEvents: (events) => {
          for (const event of events) if (!isLockEvent(event)) member.events.push(event);
          told();
        },
      },
    );
    return member;
  }

  /** With the ledger that its snapshot holds. */
  async revive(id: NodeId, store: MemoryLogStore): Promise<Member> {
    const { snapshot } = store.recovered;
    if (snapshot === null || snapshot.bytes === 0) return this.start(id, store);
    const loaded = await loadLedger(store, snapshot);
    if ("failure" in loaded) throw new Error(loaded.failure);
    return this.start(id, store, loaded.ok);
  }

  /** A node of this name on an empty disk. */
  startBlank(name: string, storeId: string): Member {
    return this.start(`${name}#${storeId}`, new MemoryLogStore({ storeId }));
  }

  /** As it is right after founding, or with more on it. */
  foundersDisk(recovered: MemoryLogStoreOptions = {}): MemoryLogStore {
    const snapshot = foundingSnapshot(createConfiguration(this.#voters));
    return new MemoryLogStore({ snapshot, ...recovered });
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

  /** Resolves when this member has heard of a blank node of this name that wants to join. */
  async untilHeard(member: Member, name: string): Promise<void> {
    const isIt = ({ from, toName }: Greeting): boolean =>
      nameOf(from) === name && toName === nameOf(member.id);
    await this.until(() => this.hellos.some(isIt));
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
    return this.#call(member, { $case: "propose", value: commandBodyToWire(body) });
  }

  read(member: Member, value: Read = { read: { $case: "cluster", value: {} } }): number {
    return this.#call(member, { $case: "read", value });
  }

  administer(member: Member, action: NonNullable<Administer["action"]>): number {
    return this.#call(member, { $case: "administer", value: { action } });
  }

  /** As the leader sees it. */
  async view(leader: Member): Promise<GetClusterResponse> {
    const answer = await this.answerTo(leader, this.read(leader));
    if (answer?.$case !== "read" || answer.value.cluster === undefined) {
      throw new Error(`answered ${answer?.$case}`);
    }
    return answer.value.cluster;
  }

  async answerTo({ answers }: Member, callId: number): Promise<Answer["answer"]> {
    await this.until(() => answers.has(callId));
    return answers.get(callId);
  }

  #call({ driver }: Member, call: NonNullable<Call["call"]>): number {
    this.#callId += 1;
    driver.called(REPLY_TO, [{ callId: this.#callId, deadlineMs: 0, traceparent: "", call }]);
    return this.#callId;
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

  #greet(from: NodeId, toName: string, hello: Hello): void {
    setImmediate(() => {
      const target = [...this.members.values()].find(({ id }) => nameOf(id) === toName);
      if (target === undefined || this.cut.has(from) || this.cut.has(target.id)) return;
      if (!this.hears({ from, toName, hello })) return;
      target.driver.hello(from, hello);
      this.#told(this.hellos.push({ from, toName, hello }));
    });
  }

  #told(_recorded?: unknown): void {
    this.#changes.emit("told");
  }
}

function incarnationOf(): number {
  return 1;
}

const BACKOFF = { initialMs: 1, multiplier: 1, maxMs: 1, jitter: 0.5 };

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
      totalTimeoutMs: 0,
      lockTemplates: [],
      concurrencyTemplates: [],
    },
  ],
};

const EMPTY_PAYLOAD = Buffer.from("{}", "utf8");

export function submission(count = 1, runAtMs = 0, payload = EMPTY_PAYLOAD): CommandBody {
  const job = ledgerSpec({ payload, runAtMs });
  return { kind: "submit-jobs", jobs: Array.from({ length: count }, () => job) };
}

/** What became of jobs that were submitted; null: something else was answered. */
export function submittedIds(answer: Answer["answer"]): readonly string[] | null {
  if (answer?.$case !== "applied" || answer.value.result?.$case !== "submitted") return null;
  return answer.value.result.value.jobs.map(({ jobId }) => jobId);
}
