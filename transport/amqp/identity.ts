// One identity, one process: the claim of a node id, held as an exclusive queue in the broker.
//
// Guarantees: at most one connection holds the claim; it goes with the connection, so a dead
// process frees it as soon as the broker notices. Two processes on one node id would vote twice;
// the disk's lock stops two on one directory, this stops two on two directories.
// Does not own: when to claim (amqp-peer-link.ts, in the setup of its consuming session).

import { setTimeout as delay } from "node:timers/promises";
import type { SetupConnection } from "./session.ts";
import { declareIdentityQueue } from "./topology.ts";

/** AMQP: the queue is exclusively another connection's. */
const RESOURCE_LOCKED = 405;
const RETRY_MS = 200;

/** Another process is this node: nothing here may go on under its id. */
export class IdentityTakenError extends Error {
  readonly nodeId: string;

  constructor(cluster: string, nodeId: string, waitedMs: number) {
    super(
      `another process runs as node "${nodeId}" of cluster "${cluster}" on this RabbitMQ ` +
        `(waited ${waitedMs} ms for it to end): stop that process, or start this one with ` +
        `another node id and data directory`,
    );
    this.name = "IdentityTakenError";
    this.nodeId = nodeId;
  }
}

export interface IdentityClaim {
  readonly cluster: string;
  readonly nodeId: string;
  /** How long a holder may take to vanish: an ended process's connection lives on for a moment. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Resolves when this connection holds the claim; rejects with IdentityTakenError after waitMs. */
export async function claimIdentity(
  connection: SetupConnection,
  claim: IdentityClaim,
): Promise<void> {
  const startedMs = performance.now();
  while (!(await tryClaim(connection, claim))) {
    if (performance.now() - startedMs >= claim.waitMs) {
      throw new IdentityTakenError(claim.cluster, claim.nodeId, claim.waitMs);
    }
    await delay(RETRY_MS, undefined, { signal: claim.signal });
  }
}

async function tryClaim(connection: SetupConnection, claim: IdentityClaim): Promise<boolean> {
  try {
    await connection.withChannel((channel) =>
      declareIdentityQueue(channel, claim.cluster, claim.nodeId),
    );
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === RESOURCE_LOCKED) return false;
    throw error;
  }
}
