// The exit codes of every quorumq command, and the table from errors to them.
//
// Guarantees: scripts can decide by the code alone; each gRPC code has exactly one row, and a
// reason only overrides it where the same code means different things to the caller.
// Does not own: the errors themselves (transport/reason.ts).

import { Code, PipelineError } from "../transport/pipeline-error.ts";

export const ExitCode = {
  Ok: 0,
  /** A bug, or something that has no better code. */
  Internal: 1,
  /** The command line, the configuration or the request cannot be right. */
  Usage: 2,
  /** The job itself ended as FAILED or CANCELLED. */
  JobUnsuccessful: 3,
  /** Nobody answers at the address, or this caller may not, or not now. */
  Unreachable: 4,
  /** The gateway answers, but no majority of nodes leads, or RabbitMQ is away. */
  NoQuorum: 5,
  /** As timeout(1): the outcome is not known yet. */
  TimedOut: 124,
  /** 128 + SIGINT: ended at once by a second signal. */
  Interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const BY_CODE: Readonly<Record<Code, ExitCode>> = {
  [Code.Cancelled]: ExitCode.Interrupted,
  [Code.Unknown]: ExitCode.Internal,
  [Code.InvalidArgument]: ExitCode.Usage,
  [Code.DeadlineExceeded]: ExitCode.TimedOut,
  [Code.NotFound]: ExitCode.Usage,
  [Code.AlreadyExists]: ExitCode.Usage,
  [Code.PermissionDenied]: ExitCode.Unreachable,
  [Code.ResourceExhausted]: ExitCode.Unreachable,
  [Code.FailedPrecondition]: ExitCode.Usage,
  [Code.Aborted]: ExitCode.Internal,
  [Code.OutOfRange]: ExitCode.Usage,
  [Code.Unimplemented]: ExitCode.Internal,
  [Code.Internal]: ExitCode.Internal,
  [Code.Unavailable]: ExitCode.Unreachable,
  [Code.DataLoss]: ExitCode.Internal,
  [Code.Unauthenticated]: ExitCode.Unreachable,
};

/**
 * UNAVAILABLE is also what a healthy gateway says of an ailing cluster, and a transfer that did not
 * happen, or a lock that another holds or that ran out meanwhile, is a "not now".
 */
const BY_REASON: Readonly<Record<string, ExitCode>> = {
  NO_LEADER: ExitCode.NoQuorum,
  BROKER_UNAVAILABLE: ExitCode.NoQuorum,
  TRANSFER_ABORTED: ExitCode.Unreachable,
  LOCK_HELD: ExitCode.Unreachable,
  FENCED: ExitCode.Unreachable,
};

/** A command line or configuration that cannot be right; the message is all the user needs. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function exitCodeOf(thrown: unknown): ExitCode {
  if (thrown instanceof UsageError) return ExitCode.Usage;
  if (!(thrown instanceof PipelineError)) return ExitCode.Internal;
  return BY_REASON[thrown.reason] ?? BY_CODE[thrown.code];
}
