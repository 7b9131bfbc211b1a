// What both who renew leases share: an attempt's name, and how many fit into one command.
//
// Guarantees: each attempt is in exactly one part, in the order given.
// Does not own: when to renew (lease-keeper.ts, lease-stand-in.ts).

import { RENEWALS_MAX } from "../transport/limit.ts";

export interface LeaseRef {
  readonly jobId: string;
  readonly token: number;
}

export function leaseName({ jobId, token }: LeaseRef): string {
  return `${jobId}#${token}`;
}

/** As many as one command may name. */
export function renewalParts<Lease>(leases: readonly Lease[]): readonly (readonly Lease[])[] {
  const parts: Lease[][] = [];
  for (let start = 0; start < leases.length; start += RENEWALS_MAX) {
    parts.push(leases.slice(start, start + RENEWALS_MAX));
  }
  return parts;
}
