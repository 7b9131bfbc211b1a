// The ledger's own assertion: a failure is a bug of ours, never of a command.
//
// Guarantees: nothing in ledger/ throws but this. A node that fails one stops; what a command can
// bring about is a result instead (one poison entry would stop every replica).

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`ledger: ${message}`);
}
