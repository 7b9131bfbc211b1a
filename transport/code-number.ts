// The google.rpc.Code of each code: what stands for it where a message carries a number.
//
// Guarantees: the numbers are gRPC's own; a test holds them against its library.

import type { Code } from "./pipeline-error.ts";

const NUMBERS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const satisfies Record<Code, number>;

export function numberOf(code: Code): number {
  return NUMBERS[code];
}
