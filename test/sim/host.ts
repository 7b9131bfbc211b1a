// One machine: its disk, its clocks, and the process that is a node, which starts, stalls and dies.
//
// Guarantees: a stalled process takes no input and fires no timer; on waking it takes what waited,
// in order, and one tick. Its inbox is bounded: Raft messages beyond are dropped, as the driver
// does. A lost disk comes back as another member (a new store id).
// Does not own: when any of this happens (chaos.ts), nor what a node does (life.ts).

import type { Input } from "../../raft/input.ts";
import type { NodeId } from "../../raft/message.ts";
import { Disk } from "./disk.ts";
import { HostClock } from "./host-clock.ts";
import { Life } from "./life.ts";
import type { Sim } from "./sim.ts";
import { Store } from "./store.ts";

type Work = Input | (() => void);

const RESTART_MS = [20, 3000] as const;

export class Host {
  readonly place: number;
  readonly name: string;
  readonly disk: Disk;
  readonly clock: HostClock;
  life: Life | null = null;
  /** Each step takes so long. */
  cpuMs = 0;
  /** Committed entries wait so long to be applied. */
  slowApplyMs = 0;
  /** Sends and takes only what nodes of the release before knew. */
  isOldFormat = false;
  /** Its messages go through the real codec. */
  hasCodec = false;
  readonly #sim: Sim;
  #inbox: Work[] = [];
  #isRunning = false;
  #pausedUntilMs = 0;
  #busyUntilMs = 0;
  #isDrainDue = false;
  #storeCount = 0;

  constructor(sim: Sim, place: number) {
    this.#sim = sim;
    this.place = place;
    this.name = `n${place + 1}`;
    const drift = sim.options.rates["clock-drift"] ?? 0;
    if (drift > 0) sim.tally.add("fault.clock-drift");
    const rate = 1 + drift * sim.random.process.between(-1, 1);
    this.clock = new HostClock(sim.scheduler, rate, sim.random.process.between(-200, 200));
    this.disk = new Disk(sim, this.#newStore());
  }

  get id(): NodeId {
    return this.disk.store.id;
  }

  get isUp(): boolean {
    return this.life !== null;
  }

  get isPaused(): boolean {
    return this.#pausedUntilMs > this.#sim.scheduler.nowMs;
  }

  #newStore(): Store {
    this.#storeCount += 1;
    const store = ((this.place + 1) * 0x1000000 + this.#storeCount).toString(16).padStart(8, "0");
    return new Store(`${this.name}#${store}`, this.place);
  }

  start(): void {
    const { disk, clock } = this;
    const { scheduler, random, tally, checker } = this.#sim;
    if (this.life !== null) return;
    if (disk.isFull) {
      // It cannot even note that it was opened: whoever supervises it tries again.
      tally.add("disk.start-refused");
      scheduler.after(random.process.between(200, 1000), () => this.start());
      return;
    }
    if (disk.store.isDamaged || disk.store.isLost) this.#replaceStore();
    clock.boot(random.process.between(1, 1_000_000));
    this.#inbox = [];
    this.#pausedUntilMs = 0;
    this.#busyUntilMs = 0;
    this.#drawFormat();
    // The life's own constructor reads what the disk holds; the disk then reports to it.
    let opened: Life | null = null;
    disk.open({
      durable: (write) => opened?.durable(write),
      failed: () => this.#poisoned(),
    });
    const life = new Life(this.#sim, this);
    opened = life;
    this.life = life;
    checker.started(life);
    tally.add("count.starts");
    this.#scheduleTick(life);
    this.#foundLater(life);
  }

  /** Founders have met (transport/hello.ts); only the first store of a machine may take part. */
  #foundLater(life: Life): void {
    const { founders, scheduler, random } = this.#sim;
    if (!founders.includes(life.id) || life.node.snapshot !== null) return;
    scheduler.after(random.process.between(1, 100), () => {
      this.give(life, { kind: "found", nowMs: 0, voters: founders });
    });
  }

  #drawFormat(): void {
    const { random, options } = this.#sim;
    this.isOldFormat = random.process.chance(this.#sim.rate("old-format"));
    this.hasCodec = random.process.chance(options.rates.codec ?? 0);
    if (this.isOldFormat) this.#sim.tally.add("fault.old-format");
    if (this.hasCodec) this.#sim.tally.add("fault.codec");
  }

  #replaceStore(): void {
    const { tally, checker } = this.#sim;
    this.disk.store.isLost = true;
    this.disk.store = this.#newStore();
    checker.storeMade(this.disk.store);
    tally.add("count.new-members");
  }

  crash(cause: string): void {
    const { life } = this;
    if (life === null) return;
    const { tally, trace, scheduler } = this.#sim;
    tally.add("count.crashes");
    tally.add(`fault.${cause}`);
    if (trace.isText) trace.line(scheduler.nowMs, `${life.id} dies: ${cause}`);
    this.#sim.checker.crashed(life);
    this.life = null;
    this.#inbox = [];
    this.disk.crash();
    life.end();
  }

  crashAndRestart(cause: string): void {
    this.crash(cause);
    this.restartLater();
  }

  restartLater(): void {
    const { random, scheduler } = this.#sim;
    scheduler.after(random.process.logarithmic(...RESTART_MS), () => this.start());
  }

  #poisoned(): void {
    const { life } = this;
    if (life === null) return;
    this.#sim.checker.poisoned(life);
    this.crashAndRestart("poisoned-disk");
  }

  pause(forMs: number): void {
    const { scheduler } = this.#sim;
    const { life } = this;
    if (life === null) return;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, scheduler.nowMs + forMs);
    scheduler.at(this.#pausedUntilMs, () => {
      if (life !== this.life || this.isPaused) return;
      if (life.isLeader) this.#sim.tally.add("sometimes.leader-woken");
      this.#drain();
    });
  }

  wake(): void {
    this.#pausedUntilMs = 0;
    this.cpuMs = 0;
    this.slowApplyMs = 0;
    this.#drain();
  }

  #scheduleTick(life: Life): void {
    const { scheduler, options } = this.#sim;
    scheduler.after(options.tickMs / this.clock.rate, () => {
      if (life !== this.life) return;
      this.#scheduleTick(life);
      // A timer that fell due during a stall fires once, at its end.
      if (!this.#isStalled()) this.#take(life, () => life.tick());
    });
  }

  #isStalled(): boolean {
    const { nowMs } = this.#sim.scheduler;
    return nowMs < this.#pausedUntilMs || nowMs < this.#busyUntilMs;
  }

  /** An input for the life, taken when the process can run. */
  give(life: Life, input: Input): void {
    if (life !== this.life) return;
    this.#take(life, input);
  }

  whenAble(life: Life, work: () => void): void {
    if (life !== this.life) return;
    this.#take(life, work);
  }

  #take(life: Life, work: Work): void {
    if (this.#isRunning || this.#isStalled()) {
      const isMessage = typeof work !== "function" && work.kind === "received";
      if (isMessage && this.#inbox.length >= this.#sim.options.inboxLengthMax) {
        this.#sim.tally.add("fault.inbox-overflow");
        return;
      }
      this.#inbox.push(work);
      if (!this.#isRunning) this.#drainAtEndOfStall();
      return;
    }
    this.#run(life, work);
  }

  #run(life: Life, first: Work): void {
    this.#isRunning = true;
    let work: Work | undefined = first;
    while (work !== undefined && life === this.life) {
      if (typeof work === "function") work();
      else {
        // Stamped when the process gets to it, as AMQP callbacks and timers are.
        (work as { nowMs: number }).nowMs = this.clock.monotonicMs();
        life.run(work);
      }
      if (this.cpuMs > 0) this.#busyUntilMs = this.#sim.scheduler.nowMs + this.cpuMs;
      work = this.#isStalled() ? undefined : this.#inbox.shift();
    }
    this.#isRunning = false;
    if (this.#inbox.length > 0) this.#drainAtEndOfStall();
  }

  #drainAtEndOfStall(): void {
    if (this.#isDrainDue) return;
    this.#isDrainDue = true;
    this.#sim.scheduler.at(Math.max(this.#pausedUntilMs, this.#busyUntilMs), () => {
      this.#isDrainDue = false;
      this.#drain();
    });
  }

  #drain(): void {
    const { life } = this;
    if (life === null || this.#isRunning) return;
    if (this.#isStalled()) {
      if (this.#inbox.length > 0) this.#drainAtEndOfStall();
      return;
    }
    const work = this.#inbox.shift();
    if (work !== undefined) this.#run(life, work);
  }
}
