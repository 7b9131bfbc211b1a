// Everything about one run that is drawn from its seed before it begins (swarm testing).
//
// Guarantees: the same seed and overrides give the same options; each kind of fault is off in half
// of the runs, so that faults also meet alone. Overrides only ever make a run smaller, which is
// what a failing case needs. Does not own: what a fault does (chaos.ts and the models).

import type { Limits } from "../../raft/node.ts";
import type { Retention } from "../../transport/retention-keeper.ts";
import {
  AIMED_FAULTS,
  type FaultKind,
  MOMENT_FAULTS,
  type MomentFault,
  RATE_FAULTS,
  type RateFault,
} from "./fault-kind.ts";
import { Random } from "./random.ts";

/** What a failing case may be cut down by; absent: as drawn. */
export interface Overrides {
  readonly without?: readonly FaultKind[];
  readonly untilMs?: number;
  readonly founders?: number;
  readonly spares?: number;
  readonly gateways?: number;
  readonly workers?: number;
  readonly queueOperators?: number;
  /** 0: nothing is forgotten. */
  readonly retentions?: number;
}

export interface Workload {
  readonly gateways: number;
  readonly workers: number;
  /** Mean pause of a client between two operations. */
  readonly thinkMs: number;
  readonly readShare: number;
  readonly cancelShare: number;
  /** Of a client's calls: retries. Of a worker's attempts: those that tell of their progress. */
  readonly retryShare: number;
  readonly reportShare: number;
  /** Of the submissions: those that carry an idempotency key. */
  readonly keyShare: number;
  /** Clients that limit, pause and drain queues; jobs have concurrency keys then, too. */
  readonly queueOperators: number;
  /** How many different lock keys there are; few make a hot run. */
  readonly lockKeys: number;
  readonly leaseMs: number;
}

export interface SimOptions {
  readonly seed: number;
  /** Some runs are about one thing, and hard on that. */
  readonly theme: Theme | null;
  readonly overrides: Overrides;
  readonly network: "broker" | "hostile";
  /** Nodes that found the cluster, and machines that may join later. */
  readonly founders: number;
  readonly spares: number;
  readonly safetyMs: number;
  readonly electionTimeoutMs: { readonly min: number; readonly max: number };
  readonly heartbeatIntervalMs: number;
  readonly tickMs: number;
  readonly limits: Limits;
  /** A snapshot is taken after so many entries, but no oftener than the gap. */
  readonly snapshotEntries: number;
  readonly snapshotGapMs: number;
  readonly delayMs: readonly [min: number, max: number];
  readonly persistMs: readonly [min: number, max: number];
  readonly mailboxLengthMax: number;
  readonly inboxLengthMax: number;
  /** Mean time between two moments of any fault while it storms. */
  readonly faultGapMs: number;
  readonly moments: readonly { readonly kind: MomentFault; readonly weight: number }[];
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>;
  /** Replicas are compared in full at multiples of this index. */
  readonly hashEntries: number;
  /** Messages must not be changed by anybody. */
  readonly isFrozen: boolean;
  /** Proposals that come within this time are given to the core together; 0: one by one. */
  readonly batchMs: number;
  readonly workload: Workload;
  /** What nodes are told about forgetting, each one of these; none: nothing is forgotten. */
  readonly retentions: readonly Retention[];
}

/** The largest probability or share of each; a run draws its own below it. */
const RATE_MOST: Readonly<Record<RateFault, number>> = {
  "ghost-mailbox": 1,
  "late-hint": 0.5,
  "missing-hint": 0.9,
  "drop-head": 1,
  loss: 0.25,
  duplicate: 0.25,
  reorder: 0.5,
  "stale-copy": 0.02,
  "lost-write": 1,
  "torn-tail": 1,
  "staged-flip": 0.2,
  "crash-at-write": 0.006,
  "clock-drift": 0.05,
  "inbox-overflow": 1,
  "old-format": 0.3,
  codec: 0.5,
  "compact-to-tip": 1,
  "call-loss": 0.1,
  "answer-loss": 0.1,
  "duplicate-call": 0.1,
  "late-call": 0.05,
  "crash-after-grant": 0.3,
  "crash-after-election": 0.4,
};

const BROKER_ONLY: readonly FaultKind[] = [
  "publish-drop",
  "consume-drop",
  "broker-pause",
  "broker-restart",
  "memory-alarm",
  "channel-error",
  "publish-dead",
  "consume-dead",
  "consume-stall",
  "ghost-mailbox",
  "drop-head",
];
const HOSTILE_ONLY: readonly FaultKind[] = [
  "link-cut",
  "group-partition",
  "loss",
  "duplicate",
  "reorder",
  "stale-copy",
];

export const THEMES = [
  "membership",
  "disks",
  "snapshots",
  "power",
  "pauses",
  "reads",
  "network",
  "elections",
] as const;
export type Theme = (typeof THEMES)[number];

const THEME_MOMENTS: Readonly<Record<Theme, readonly MomentFault[]>> = {
  membership: [
    "add-node",
    "remove-node",
    "remove-leader",
    "replace-node",
    "joint-change",
    "demote-voter",
    "transfer",
    "crash",
    "crash-leader",
  ],
  disks: ["wipe", "bit-flip", "eio", "enospc", "add-node", "replace-node", "crash", "power-cut"],
  snapshots: ["crash", "pause", "slow-network", "power-cut", "transfer", "slow-disk"],
  power: ["power-cut", "crash-leader", "slow-disk", "disk-stall"],
  pauses: ["pause", "transfer", "wall-jump", "slow-cpu", "slow-apply"],
  reads: ["crash", "slow-network", "transfer", "pause"],
  network: [
    "publish-drop",
    "consume-drop",
    "broker-pause",
    "channel-error",
    "consume-stall",
    "consume-dead",
    "false-hint",
    "link-cut",
    "group-partition",
  ],
  // Leaders that change while their writes are still on the way to the disks.
  elections: [
    "crash-leader",
    "pause",
    "transfer",
    "broker-partition",
    "publish-dead",
    "link-cut",
    "group-partition",
  ],
};

export function drawOptions(seed: number, overrides: Overrides = {}): SimOptions {
  const options = drawMix(seed, overrides);
  const random = new Random(seed, "theme");
  return random.chance(0.3) ? themed(options, random.one(THEMES)) : options;
}

function themed(options: SimOptions, theme: Theme): SimOptions {
  const { network, overrides, workload, limits } = options;
  const foreign = network === "broker" ? HOSTILE_ONLY : BROKER_ONLY;
  const moments = THEME_MOMENTS[theme]
    .filter((kind) => !foreign.includes(kind) && overrides.without?.includes(kind) !== true)
    .map((kind) => ({ kind, weight: 1 }));
  const harder = { ...options, theme, moments, faultGapMs: Math.min(options.faultGapMs, 400) };
  switch (theme) {
    case "membership":
    case "disks":
      return { ...harder, spares: overrides.spares ?? Math.max(1, options.spares) };
    case "snapshots": {
      const trailingEntriesMax = Math.min(2, limits.trailingEntriesMax);
      return {
        ...harder,
        snapshotEntries: 4,
        snapshotGapMs: 100,
        limits: { ...limits, trailingEntriesMax },
      };
    }
    case "power":
      return { ...harder, persistMs: [5, 120], faultGapMs: Math.max(2_000, options.faultGapMs) };
    case "pauses":
    case "reads": {
      const busy = { readShare: 0.8, thinkMs: 25, gateways: overrides.gateways ?? 5 };
      return { ...harder, workload: { ...workload, ...busy } };
    }
    case "elections":
      return { ...harder, persistMs: [5, 150], delayMs: [1, 30] };
    case "network":
      return harder;
  }
}

function drawMix(seed: number, overrides: Overrides): SimOptions {
  const random = new Random(seed, "swarm");
  const network = random.chance(0.7) ? "broker" : "hostile";
  const foreign = network === "broker" ? HOSTILE_ONLY : BROKER_ONLY;
  const isOff = (kind: FaultKind): boolean =>
    foreign.includes(kind) || overrides.without?.includes(kind) === true;
  const moments: { kind: MomentFault; weight: number }[] = [];
  for (const kind of MOMENT_FAULTS) {
    const isOn = random.chance(0.5);
    const weight = random.logarithmic(0.1, 1);
    if (isOn && !isOff(kind)) moments.push({ kind, weight });
  }
  const rates: Partial<Record<FaultKind, number>> = {};
  for (const kind of RATE_FAULTS) {
    const isOn = random.chance(0.5);
    const rate = RATE_MOST[kind] * random.logarithmic(0.05, 1);
    if (isOn && !isOff(kind)) rates[kind] = rate;
  }
  const aim = new Random(seed, "aim");
  for (const kind of AIMED_FAULTS) {
    const isOn = aim.chance(0.25);
    const rate = RATE_MOST[kind] * aim.logarithmic(0.1, 1);
    if (isOn && !isOff(kind)) rates[kind] = rate;
  }
  const founders = random.one([1, 2, 3, 3, 3, 3, 4, 5, 5, 7]);
  const spares = founders >= 7 ? 0 : random.whole(0, 2);
  const safetyMs = 1000 * random.one([20, 30, 45, 60, 60, 60, 75, 90]);
  const min = random.one([150, 300, 300, 500, 1000]);
  const heartbeatIntervalMs = Math.round(min / random.between(3, 8));
  return {
    seed,
    theme: null,
    overrides,
    network,
    founders: overrides.founders ?? founders,
    spares: overrides.spares ?? spares,
    safetyMs: Math.min(safetyMs, overrides.untilMs ?? safetyMs),
    electionTimeoutMs: { min, max: Math.round(min * random.between(1.3, 2.5)) },
    heartbeatIntervalMs,
    tickMs: Math.min(50, Math.max(10, Math.round(heartbeatIntervalMs / 2))),
    limits: drawLimits(random, rates),
    snapshotEntries: Math.round(random.logarithmic(2, 400)),
    snapshotGapMs: random.logarithmic(500, 8000),
    delayMs: random.one([
      [0.2, 2],
      [0.5, 8],
      [1, 30],
      [5, 60],
    ]),
    persistMs: random.one([
      [0.1, 1],
      [0.5, 6],
      [1, 25],
      [2, 80],
    ]),
    mailboxLengthMax: rates["drop-head"] === undefined ? 1000 : random.whole(2, 24),
    inboxLengthMax: rates["inbox-overflow"] === undefined ? 10_000 : random.whole(4, 64),
    faultGapMs: random.logarithmic(250, 8000),
    moments,
    rates,
    hashEntries: random.one([64, 150, 300]),
    isFrozen: random.chance(0.1),
    batchMs: random.one([0, 0, 2, 20]),
    workload: drawWorkload(random, overrides, seed),
    retentions: drawRetentions(seed, overrides),
  };
}

function drawLimits(random: Random, rates: Partial<Record<FaultKind, number>>): Limits {
  const isTip = rates["compact-to-tip"] !== undefined;
  return {
    appendEntriesMax: random.one([1, 2, 4, 8, 64]),
    appendBytesMax: random.one([256, 1024, 16_384]),
    inflightMax: random.one([1, 2, 4, 16]),
    inflightBytesMax: random.one([1024, 8192, 1 << 20]),
    uncommittedEntriesMax: random.one([8, 64, 512]),
    uncommittedBytesMax: random.one([4096, 65_536, 1 << 20]),
    trailingBytesMax: 1 << 24,
    trailingEntriesMax: isTip ? 0 : Math.round(random.logarithmic(2, 300)),
    snapshotChunkBytes: Math.round(random.logarithmic(256, 8192)),
    snapshotWindow: random.whole(1, 8),
    promotionLagMax: random.one([1, 4, 32]),
  };
}

/** By a stream of its own, as are the operators of queues: other draws are what they were. */
function drawRetentions(seed: number, { retentions }: Overrides): Retention[] {
  const random = new Random(seed, "retention");
  const count = random.one([0, 0, 1, 1, 2]);
  return Array.from({ length: Math.min(count, retentions ?? count) }, () => ({
    ageMs: Math.round(random.logarithmic(1_000, 30_000)),
    jobsMax: random.one([0, 5, 30, 1_000]),
    spareMs: Math.round(random.logarithmic(100, 5_000)),
    keyMs: Math.round(random.logarithmic(100, 60_000)),
  }));
}

function drawWorkload(random: Random, overrides: Overrides, seed: number): Workload {
  const queueOperators = new Random(seed, "queue-operators").one([0, 0, 1, 1, 2]);
  const gateways = random.whole(1, 4);
  const workers = random.whole(1, 4);
  return {
    gateways: overrides.gateways ?? gateways,
    workers: overrides.workers ?? workers,
    queueOperators: overrides.queueOperators ?? queueOperators,
    thinkMs: random.logarithmic(60, 600),
    readShare: random.between(0.1, 0.6),
    cancelShare: random.between(0, 0.1),
    retryShare: random.between(0, 0.1),
    reportShare: random.between(0, 0.5),
    keyShare: random.between(0.5, 1),
    lockKeys: random.one([1, 3, 20]),
    leaseMs: random.one([400, 1500, 5000]),
  };
}
