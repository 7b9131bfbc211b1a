// A node takes over the configuration that its log has brought, or founds a cluster with one.
//
// Guarantees: a leader replicates to a new member from the entry that names it on, and to a removed
// one until its removal is committed. Nothing is said as a founder before the founding is durable.
// Does not own: which configuration is in force (membership.ts), when members leave
// (membership-change.ts).

import { createConfiguration, peersOf } from "./configuration.ts";
import { foundingSnapshot } from "./membership.ts";
import type { NodeId } from "./message.ts";
import type { RaftNode } from "./node.ts";
import { createProgress } from "./progress.ts";

/** A founder begins with the configuration that all founders begin with. */
export function found(node: RaftNode, voters: readonly NodeId[]): void {
  if (node.snapshot !== null || node.log.lastIndex > 0) return;
  const snapshot = foundingSnapshot(createConfiguration(voters));
  node.snapshot = snapshot;
  node.membership.compact(snapshot);
  node.outbox.saveSnapshot(snapshot, null);
  // Nothing is said as a founder before the founding is durable.
  node.outbox.saveHardState();
  adoptConfiguration(node);
  // All begin at one moment: the first of them campaigns first, the others give it their time.
  if (voters[0] === node.id)
    node.electionDeadlineMs = node.nowMs + node.options.heartbeatIntervalMs;
}

/** To be called whenever the node's log has changed in a way that may change its configuration. */
export function adoptConfiguration(node: RaftNode): void {
  node.configuration = node.membership.current;
  node.outbox.emit({ kind: "configuration-changed", configuration: node.configuration });
  const { leading } = node;
  if (leading === null) return;
  for (const peer of peersOf(node.configuration, node.id)) {
    if (leading.peers.has(peer)) continue;
    // From the entry that names it on: a probe has to begin somewhere (openraft #1828).
    leading.peers.set(peer, createProgress(node.log.lastIndex, node.nowMs));
  }
}
