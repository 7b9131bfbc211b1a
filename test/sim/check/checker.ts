// An observer of all nodes and disks: the invariants of a run, checked after every event.
//
// Guarantees: costs a few comparisons an event; what it knows comes from inputs, effects, disks and
// the nodes' logs, over the whole history and not just the present. Numbers are those of
// test/sim/README.md. Throws a Violation at the first thing that is wrong.
// Does not own: the parts (election, log, commit, ack), nor what clients see (clients/oracle.ts).

import type { Applied } from "../../../ledger/result.ts";
import type { Effect } from "../../../raft/effect.ts";
import type { Input, RequestId } from "../../../raft/input.ts";
import type { Entry, Message, NodeId, Snapshot } from "../../../raft/message.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import type { Persist, Store } from "../store.ts";
import { demand } from "../violation.ts";
import { AckCheck } from "./ack-check.ts";
import { CampaignCheck } from "./campaign-check.ts";
import { CommitCheck } from "./commit-check.ts";
import { CommittedHistory } from "./committed-history.ts";
import { ConfigurationRecord, isSameConfiguration, textOf } from "./configuration-record.ts";
import { DurableCheck } from "./durable-check.ts";
import { ElectionCheck } from "./election-check.ts";
import { LeadershipCheck } from "./leadership-check.ts";
import { LedgerWatch } from "./ledger-watch.ts";
import { LogCheck } from "./log-check.ts";
import { PatienceCheck } from "./patience-check.ts";
import { RareEvents } from "./rare-events.ts";

export class Checker {
  readonly history: CommittedHistory;
  readonly watch: LedgerWatch;
  readonly elections: ElectionCheck;
  /** Every store there ever was, lost ones as they were. */
  readonly stores = new Map<NodeId, Store>();
  readonly #configurations = new Map<NodeId, ConfigurationRecord>();
  readonly #log: LogCheck;
  readonly #commits: CommitCheck;
  readonly #acks: AckCheck;
  readonly #campaigns = new CampaignCheck();
  readonly #leaderships = new LeadershipCheck();
  readonly #patience = new PatienceCheck();
  readonly #durable = new DurableCheck();
  readonly #rare: RareEvents;
  readonly #sim: Sim;

  constructor(sim: Sim) {
    this.#sim = sim;
    this.watch = new LedgerWatch(sim.tally);
    this.history = new CommittedHistory(sim.options.hashEntries, this.watch);
    this.elections = new ElectionCheck(this.history);
    this.#log = new LogCheck(sim, this.history);
    this.#commits = new CommitCheck(sim, this.history, this.stores);
    this.#acks = new AckCheck((id) => this.lifeOf(id));
    this.#rare = new RareEvents(sim, this);
  }

  lifeOf(id: NodeId): Life | null {
    const place = this.stores.get(id)?.machine ?? -1;
    const life = this.#sim.hosts[place]?.life ?? null;
    return life?.id === id ? life : null;
  }

  configurationOf(id: NodeId): ConfigurationRecord {
    const record = this.#configurations.get(id);
    if (record === undefined) throw new Error(`${id} was never started`);
    return record;
  }

  configurationIfKnown(id: NodeId): ConfigurationRecord | undefined {
    return this.#configurations.get(id);
  }

  storeMade(store: Store): void {
    this.stores.set(store.id, store);
  }

  started(life: Life): void {
    const { store } = life.host.disk;
    this.stores.set(store.id, store);
    this.elections.started(life, store);
    this.#durable.started(store);
    this.#configurations.set(life.id, new ConfigurationRecord(store));
    const { record, node } = life;
    const snapshotIndex = store.snapshot?.snapshot.index ?? 0;
    record.term = node.currentTerm;
    record.snapshotIndex = snapshotIndex;
    // A snapshot holds committed entries only.
    demand(node.commitIndex <= snapshotIndex, "I8 commit", `${life.id} starts committed`);
    record.commitIndex = node.commitIndex;
    record.appliedIndex = life.replica.lastApplied;
    this.#trace(life, 1, store.lastIndex, snapshotIndex, node.currentTerm);
    this.#say(life, () => `starts, life ${life.incarnation}, log ${store.lastIndex}`);
  }

  crashed(life: Life): void {
    this.#trace(life, 2, 0, 0, 0);
    this.#rare.crashed(life, this.configurationOf(life.id));
  }

  poisoned(life: Life): void {
    life.record.isPoisoned = true;
  }

  readAsked({ record }: Life, requestId: RequestId): void {
    record.readFloors.set(requestId, this.history.length);
  }

  stepped(life: Life, input: Input, effects: readonly Effect[]): void {
    const { node, record, id } = life;
    this.#trace(life, 3, kindCode(input), effects.length, node.commitIndex);
    if (input.kind === "received") this.#rare.received(life, input.from, input.message);
    if (input.kind === "received") this.elections.delivered(life, input.from, input.message);
    demand(node.currentTerm >= record.term, "I8 term-falls", `${id} in a life`);
    const configuration = this.configurationOf(id).current;
    this.#campaigns.stepped(life, input, effects, record.term, configuration);
    record.term = node.currentTerm;
    for (const effect of effects) this.#asked(life, effect);
    if (node.role === "leader" && record.electedTerm !== node.currentTerm) this.#elected(life);
    if (node.commitIndex !== record.commitIndex) {
      this.#commits.moved(life, configuration);
    }
    this.#leaderships.stepped(life, input, effects, this.configurationOf(id));
    this.#patience.stepped(life, input, effects);
    if (this.#sim.trace.isText) this.#sayStep(life, input, effects);
  }

  #elected(life: Life): void {
    life.record.electedTerm = life.node.currentTerm;
    const record = this.configurationOf(life.id);
    this.elections.elected(life, record, life.host.disk.store);
    this.#rare.elected(life, record);
    this.#sim.tally.add("count.elections");
  }

  #asked(life: Life, effect: Effect): void {
    if (effect.kind === "persist") {
      const record = this.configurationOf(life.id);
      const before = record.current;
      this.#log.persistAsked(life, effect);
      const isChanged = record.persistAsked(effect);
      this.#rare.persistAsked(life, effect);
      if (!isChanged) return;
      this.#rare.reconfigured(life, before, record.current);
      const { configuration } = life.node;
      demand(isSameConfiguration(configuration, record.current), "I11 configuration", () => {
        return `${life.id} is in ${textOf(configuration)}, its log says ${textOf(record.current)}`;
      });
    } else if (effect.kind === "read-ready") {
      const { readFloors } = life.record;
      const floor = readFloors.get(effect.requestId) ?? 0;
      readFloors.delete(effect.requestId);
      demand(effect.readIndex >= floor, "I14 read-floor", () => {
        return `${life.id} reads at ${effect.readIndex}, ${floor} were committed before`;
      });
      this.#sim.tally.add("count.reads-confirmed");
      if (life.node.role !== "leader") this.#sim.tally.add("count.reads-of-followers");
    }
  }

  /** A message leaves the node. */
  released(life: Life, to: NodeId, message: Message): void {
    const { store } = life.host.disk;
    this.elections.released(life, store, to, message);
    this.#acks.released(life, store, to, message);
    this.#sim.tally.add("count.messages");
  }

  written(store: Store, write: Persist, cut: readonly Entry[], compacted: readonly Entry[]): void {
    this.#log.written(store, write, cut, compacted);
    this.#durable.written(store);
    const { scheduler, trace } = this.#sim;
    trace.event(scheduler.nowMs, 4, store.machine, write.writeId, store.lastIndex);
  }

  applied(life: Life, entry: Entry, applied: Applied | null): void {
    const { id, record, replica } = life;
    record.appliedIndex += 1;
    demand(entry.index === record.appliedIndex, "I5 apply-order", () => {
      return `${id} applies ${entry.index} behind ${record.appliedIndex - 1}`;
    });
    const term = this.history.termAt(entry.index);
    demand(term === entry.term, "I5 apply-committed", () => {
      return `${id} applies ${entry.index}/${entry.term}, committed is ${term}`;
    });
    this.history.compareAnswer(id, entry.index, applied, replica);
  }

  /** The state machine is the snapshot's now. */
  restored(life: Life, { index, term }: Snapshot): void {
    const { record, id } = life;
    const committed = this.history.termAt(index);
    demand(committed === term, "I10 snapshot-committed", `${id} restores ${index}/${term}`);
    demand(index >= record.appliedIndex, "I8 applied-falls", `${id}: ${index}`);
    record.appliedIndex = index;
    if (index > 0) this.history.compareState(id, index, life.replica);
  }

  snapshotTaken(life: Life, { index }: Snapshot): void {
    this.history.compareState(life.id, index, life.replica);
  }

  #trace(life: Life, code: number, first: number, second: number, third: number): void {
    const { scheduler, trace } = this.#sim;
    trace.event(scheduler.nowMs, code * 64 + life.host.place, first, second, third);
  }

  #say({ id }: Life, text: () => string): void {
    const { trace, scheduler } = this.#sim;
    if (trace.isText) trace.line(scheduler.nowMs, `${id} ${text()}`);
  }

  #sayStep(life: Life, input: Input, effects: readonly Effect[]): void {
    this.#say(life, () => {
      const { role, currentTerm, commitIndex, log } = life.node;
      const state = `${role} t${currentTerm} c${commitIndex} l${log.lastIndex}`;
      return `${state} < ${textOfInput(input)} > ${effects.map(textOfEffect).join("; ")}`;
    });
  }
}

const INPUT_KINDS: readonly Input["kind"][] = [
  "tick",
  "received",
  "proposed",
  "read",
  "persisted",
  "unreachable",
  "applied",
  "found",
  "snapshot-taken",
  "snapshot-verified",
  "membership",
  "transfer",
];

function kindCode({ kind }: Input): number {
  return INPUT_KINDS.indexOf(kind);
}

function textOfInput(input: Input): string {
  if (input.kind === "received") return `${textOfMessage(input.message)} from ${input.from}`;
  if (input.kind === "proposed") return `proposed ${input.proposals.length}`;
  const { kind, nowMs: _nowMs, ...rest } = input;
  return `${kind} ${Object.keys(rest).length === 0 ? "" : JSON.stringify(rest)}`;
}

function textOfEffect(effect: Effect): string {
  if (effect.kind === "send") {
    const after = effect.afterWriteId === 0 ? "" : ` after ${effect.afterWriteId}`;
    return `send ${textOfMessage(effect.message)} to ${effect.to}${after}`;
  }
  if (effect.kind === "apply") return `apply ${effect.entries.map(({ index }) => index).join(" ")}`;
  return textOfData(effect);
}

function textOfMessage(message: Message): string {
  return textOfData(message);
}

function textOfData(value: object): string {
  return JSON.stringify(value, (key, item: unknown) => {
    if (key === "data") return undefined;
    if (key !== "entries" || !Array.isArray(item)) return item;
    return (item as Entry[]).map(({ index, term, kind }) => `${index}/${term}/${kind}`).join(" ");
  });
}
