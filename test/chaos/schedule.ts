// Which fault comes next: rounds of all of them, each round in an order of its own.

import type { Dice } from "./dice.ts";
import type { Fault } from "./fault.ts";

/** Without an end unless a number of rounds is given. */
export function* scheduled(
  faults: readonly Fault[],
  dice: Dice,
  rounds = Number.POSITIVE_INFINITY,
): Generator<Fault> {
  for (let round = 0; round < rounds; round += 1) yield* dice.shuffled(faults);
}
