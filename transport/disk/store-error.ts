// Why a log store cannot be opened or written: a closed set of codes, so nobody reads messages.

export type StoreErrorCode =
  /** Another process has this directory open. */
  | "in-use"
  /** The directory is another node's or another cluster's. */
  | "other-identity"
  /** What is on disk is not what was written. The node must not vote on it. */
  | "corrupt"
  /** Written by another version of quorumq, or not by quorumq. */
  | "other-schema"
  /** The directory or file cannot be created, opened or set up. */
  | "unusable"
  /** A write failed: nothing is acknowledged any more, the node must stop. */
  | "poisoned"
  | "closed";

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}
