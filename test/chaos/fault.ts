// Faults for the real processes of a stack: each is a kill -9 of one of them.
//
// Guarantees: a fault has ended when the stack runs the process again and callers are accepted.

import type { JobsConnection } from "../../transport/grpc/client.ts";
import type { LocalStack } from "../support/stack.ts";
import type { Load } from "./load.ts";

export const FAULTS = ["leader", "follower", "gateway", "worker", "rabbitmq", "redis"] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultReport {
  readonly fault: Fault;
  readonly id: string;
  /** From the kill to the next accepted job. */
  readonly acceptedAfterMs: number;
}

export async function leaderOf(cluster: JobsConnection["cluster"]): Promise<string> {
  const { leaderId } = await cluster.getCluster({}, { timeoutMs: 30_000 });
  return leaderId;
}

async function victimOf(
  fault: Fault,
  stack: LocalStack,
  cluster: JobsConnection["cluster"],
): Promise<string> {
  if (fault === "rabbitmq" || fault === "redis" || fault === "gateway") return fault;
  if (fault === "worker") return stack.processes("worker")[0]?.id ?? "w1";
  const leader = await leaderOf(cluster);
  if (fault === "leader") return leader;
  const followers = stack.processes("node").filter(({ id }) => id !== leader);
  return followers[0]?.id ?? leader;
}

/** Kills, then waits until the process is back and a job has been accepted after the kill. */
export async function inflict(
  fault: Fault,
  stack: LocalStack,
  connection: JobsConnection,
  load: Load,
): Promise<FaultReport> {
  const id = await victimOf(fault, stack, connection.cluster);
  const pid = stack.kill(id, "SIGKILL");
  const accepted = load.untilAccepted();
  await stack.restarted(id, pid);
  return { fault, id, acceptedAfterMs: Math.round(await accepted) };
}
