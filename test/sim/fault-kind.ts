// Every kind of fault that a run can have, by name.
//
// Guarantees: a kind's name is its counter ("fault.<kind>") and the word for `--without`. `moment`
// kinds come at drawn times; `rate` kinds are a probability or a property of the whole run.

export const MOMENT_FAULTS = [
  // Network: the broker and the connections to it.
  "slow-network",
  "publish-drop",
  "consume-drop",
  "broker-pause",
  "broker-restart",
  "memory-alarm",
  "channel-error",
  "publish-dead",
  "consume-dead",
  "broker-partition",
  "consume-stall",
  "false-hint",
  // Network, hostile.
  "link-cut",
  "group-partition",
  // Disk.
  "slow-disk",
  "disk-stall",
  "bit-flip",
  "eio",
  "enospc",
  "wipe",
  // Process.
  "crash",
  "crash-leader",
  "power-cut",
  "pause",
  "wall-jump",
  "slow-cpu",
  "slow-apply",
  // Actions of operators.
  "add-node",
  "remove-node",
  "remove-leader",
  "replace-node",
  "joint-change",
  "demote-voter",
  "transfer",
  "forced-snapshot",
  // Clients.
  "worker-stall",
  "gateway-crash",
] as const;

export const RATE_FAULTS = [
  // Network.
  "ghost-mailbox",
  "late-hint",
  "missing-hint",
  "drop-head",
  // Network, hostile.
  "loss",
  "duplicate",
  "reorder",
  "stale-copy",
  // Disk.
  "lost-write",
  "torn-tail",
  "staged-flip",
  "crash-at-write",
  // Process.
  "clock-drift",
  "inbox-overflow",
  "old-format",
  "codec",
  // Log.
  "compact-to-tip",
  // Clients.
  "call-loss",
  "answer-loss",
  "duplicate-call",
  "late-call",
] as const;

/** Rates as well, drawn from a stream of their own: kept seeds keep their meaning. */
export const AIMED_FAULTS = ["crash-after-grant", "crash-after-election"] as const;

export type MomentFault = (typeof MOMENT_FAULTS)[number];
export type RateFault = (typeof RATE_FAULTS)[number] | (typeof AIMED_FAULTS)[number];
export type FaultKind = MomentFault | RateFault;

export const FAULT_KINDS: readonly FaultKind[] = [
  ...MOMENT_FAULTS,
  ...RATE_FAULTS,
  ...AIMED_FAULTS,
];

export function isFaultKind(name: string): name is FaultKind {
  return FAULT_KINDS.some((kind) => kind === name);
}
