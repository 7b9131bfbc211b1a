// RabbitMQ between the nodes, as transport/amqp uses it: two connections a node, a mailbox a life.
//
//   node ─publish─▶ broker ─route by member─▶ mailbox (three lanes) ─consume─▶ node
//
// Guarantees: lanes keep their order and overtake each other; a mailbox is gone with its life, now
// or a little later (a ghost); what cannot be routed is returned. Losses are silent otherwise.
// Does not own: when faults come (chaos.ts).

import type { Message, NodeId } from "../../../raft/message.ts";
import { nameOf } from "../../../transport/member-id.ts";
import type { Life } from "../life.ts";
import type { Sim } from "../sim.ts";
import { type Envelope, Link } from "./link.ts";
import { Mailbox } from "./mailbox.ts";
import type { Network } from "./network.ts";

/** Until the client library hears `blocked`, what is published waits in the socket. */
const BLOCK_NOTICE_MS = 15;

export class Broker implements Network {
  /** Delays are multiplied by this while the network is slow. */
  slowness = 1;
  readonly #sim: Sim;
  /** By the name of the machine: a ghost of an earlier life keeps its place for a while. */
  readonly #mailboxes = new Map<string, Mailbox>();
  readonly #links = new Set<Link>();
  #isDown = false;
  #isPaused = false;
  #isInAlarm = false;
  #backlog: Envelope[] = [];
  #blocked: Envelope[] = [];

  constructor(sim: Sim) {
    this.#sim = sim;
  }

  connect(life: Life): Link {
    const link = new Link(this.#sim, life);
    this.#links.add(link);
    this.#openLater(link, "publish", 1, 80);
    this.#openLater(link, "consume", 1, 80);
    return link;
  }

  disconnect(life: Life): void {
    const { link } = life;
    link.isOver = true;
    link.isPublishing = false;
    link.isConsuming = false;
    this.#links.delete(link);
    this.#losePublished(link);
    const { random, tally } = this.#sim;
    const isGhost = random.network.chance(this.#sim.rate("ghost-mailbox"));
    if (!isGhost) {
      this.#removeMailbox(link);
      return;
    }
    tally.add("fault.ghost-mailbox");
    const ghostMs = random.network.between(50, 3000);
    this.#sim.scheduler.after(ghostMs, () => this.#removeMailbox(link));
  }

  #removeMailbox(link: Link): void {
    const { name } = link.life.host;
    if (this.#mailboxes.get(name)?.link === link) this.#mailboxes.delete(name);
  }

  reaches(link: Link): boolean {
    return (
      link.isPublishing &&
      link.isConsuming &&
      !link.isSilent &&
      !link.isStalled &&
      !this.#isPaused &&
      !this.#isDown
    );
  }

  send(link: Link, to: NodeId, message: Message): void {
    const { scheduler, tally, random } = this.#sim;
    if (!link.isPublishing || !link.isConsuming) {
      tally.add("network.not-writable");
      return;
    }
    const envelope = link.envelope(to, message);
    if (envelope === null) return;
    if (link.isSilent) {
      tally.add("network.silently-lost");
      return;
    }
    if (this.#isInAlarm) {
      const sinceMs = scheduler.nowMs - (link.blockedSinceMs ?? scheduler.nowMs);
      // Beyond, the driver knows and drops: what waited is worth less than what comes next.
      if (sinceMs < BLOCK_NOTICE_MS) this.#blocked.push(envelope);
      else tally.add("network.dropped-while-blocked");
      return;
    }
    const key = `${to}/${envelope.lane}`;
    const [min, max] = this.#sim.delayMs;
    const delayMs = random.network.between(min, max) * this.slowness;
    const atMs = Math.max(scheduler.nowMs + delayMs, link.lastArrivalMs.get(key) ?? 0);
    link.lastArrivalMs.set(key, atMs);
    scheduler.at(atMs, () => this.#arrive(envelope));
  }

  #arrive(envelope: Envelope): void {
    if (envelope.isDropped) return;
    const { link } = envelope;
    if (envelope.epoch !== link.epoch && this.#sim.random.network.chance(0.7)) {
      this.#sim.tally.add("network.lost-with-connection");
      return;
    }
    if (this.#isPaused) this.#backlog.push(envelope);
    else this.#route(envelope);
  }

  #route(envelope: Envelope): void {
    if (this.#isDown) return;
    const mailbox = this.#mailboxes.get(nameOf(envelope.to));
    if (mailbox === undefined) this.#return(envelope);
    else mailbox.add(envelope);
  }

  /** Published with `mandatory`: the publisher hears that nobody has this mailbox. */
  #return({ link, to }: Envelope): void {
    const { random, scheduler, tally } = this.#sim;
    tally.add("network.returned");
    if (random.network.chance(this.#sim.rate("missing-hint"))) {
      tally.add("fault.missing-hint");
      return;
    }
    let delayMs = random.network.between(...this.#sim.delayMs);
    if (random.network.chance(this.#sim.rate("late-hint"))) {
      tally.add("fault.late-hint");
      delayMs += random.network.between(100, 3000);
    }
    scheduler.after(delayMs, () => {
      if (link.isPublishing) link.returned(to);
    });
  }

  #openLater(link: Link, side: "publish" | "consume", minMs: number, maxMs: number): void {
    const { random, scheduler } = this.#sim;
    scheduler.after(random.network.between(minMs, maxMs), () => {
      if (link.isOver) return;
      if (this.#isDown) this.#openLater(link, side, 20, 200);
      else if (side === "publish") this.#openPublishing(link);
      else this.#openConsuming(link);
    });
  }

  #openPublishing(link: Link): void {
    link.isPublishing = true;
    link.isSilent = false;
    link.blockedSinceMs = this.#isInAlarm ? this.#sim.scheduler.nowMs : null;
  }

  #openConsuming(link: Link): void {
    const { name } = link.life.host;
    if (link.isConsuming) return;
    if (this.#mailboxes.has(name)) {
      // The identity is held by a ghost: 405 until the broker has noticed that it is one.
      this.#sim.tally.add("sometimes.identity-held-by-a-ghost");
      this.#openLater(link, "consume", 20, 200);
      return;
    }
    link.isConsuming = true;
    link.isStalled = false;
    this.#mailboxes.set(name, new Mailbox(this.#sim, link));
  }

  /** What was under way on this connection may be lost. */
  #losePublished(link: Link): void {
    link.epoch += 1;
  }

  dropPublishing(link: Link, forMs: number): void {
    link.isPublishing = false;
    this.#losePublished(link);
    this.#openLater(link, "publish", forMs, forMs);
  }

  /** Exclusive queues go with their connection. */
  dropConsuming(link: Link, forMs: number): void {
    link.isConsuming = false;
    this.#removeMailbox(link);
    this.#openLater(link, "consume", forMs, forMs);
  }

  /** Publishes are lost without a word until the connection is made again. */
  silence(link: Link, forMs: number): void {
    link.isSilent = true;
    this.#sim.scheduler.after(forMs, () => {
      if (link.isSilent && !link.isOver) this.dropPublishing(link, 1);
    });
  }

  /** Nothing is handed over for a while; the mailbox fills, and its oldest go when it is full. */
  stall(link: Link, forMs: number): void {
    link.isStalled = true;
    this.#sim.scheduler.after(forMs, () => this.#unstall(link));
  }

  #unstall(link: Link): void {
    link.isStalled = false;
    const mailbox = this.#mailboxes.get(link.life.host.name);
    if (mailbox?.link === link) mailbox.flush();
  }

  pause(forMs: number): void {
    this.#isPaused = true;
    this.#sim.scheduler.after(forMs, () => this.#resume());
  }

  /** All that waited comes at once. */
  #resume(): void {
    this.#isPaused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    this.#sim.tally.most("most.broker-burst", backlog.length);
    for (const envelope of backlog) this.#route(envelope);
  }

  alarm(forMs: number): void {
    if (this.#isInAlarm) return;
    this.#isInAlarm = true;
    for (const link of this.#links) link.blockedSinceMs = this.#sim.scheduler.nowMs;
    this.#sim.scheduler.after(forMs, () => this.#endAlarm());
  }

  #endAlarm(): void {
    this.#isInAlarm = false;
    const blocked = this.#blocked;
    this.#blocked = [];
    for (const link of this.#links) link.blockedSinceMs = null;
    for (const envelope of blocked) this.#arrive(envelope);
  }

  /** All mailboxes vanish, and all connections. */
  restart(forMs: number): void {
    this.#isDown = true;
    this.#mailboxes.clear();
    this.#backlog = [];
    this.#blocked = [];
    for (const link of this.#links) {
      link.isPublishing = false;
      link.isConsuming = false;
      link.epoch += 1;
    }
    this.#sim.scheduler.after(forMs, () => {
      this.#isDown = false;
      this.#isPaused = false;
      for (const link of this.#links) this.#reopen(link);
    });
  }

  #reopen(link: Link): void {
    if (!link.isPublishing) this.#openLater(link, "publish", 1, 300);
    if (!link.isConsuming) this.#openLater(link, "consume", 1, 300);
  }

  heal(): void {
    this.slowness = 1;
    this.#isDown = false;
    this.#endAlarm();
    this.#resume();
    for (const link of this.#links) {
      link.isSilent = false;
      this.#unstall(link);
      this.#reopen(link);
    }
  }
}
