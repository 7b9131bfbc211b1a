// What may be wrong with one field of a command that a client proposes.
//
// Guarantees: each check gives "" or a sentence that names the field and the limit.
// Does not own: which fields are checked how (command-check.ts, queue-check.ts).

import { KEY_LENGTH_MAX, NAME_LENGTH_MAX } from "./limit.ts";

/**
 * Kinds and queues: they become BullMQ queue names (no ":") and words of a routing key, which
 * ends at 255 bytes.
 */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** "" or what is wrong. */
export type Fault = string;

export function isName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

export function firstFault<T>(items: readonly T[], fault: (item: T) => Fault): Fault {
  for (const [position, item] of items.entries()) {
    const found = fault(item);
    if (found !== "") return `[${position}] ${found}`;
  }
  return "";
}

export function nameFault(field: string, name: string): Fault {
  return isName(name) ? "" : `${field} is not a name of 1 to ${NAME_LENGTH_MAX} of A-Za-z0-9_.-`;
}

export function keyFault(field: string, key: string): Fault {
  return key === "" ? `${field} is empty` : textFault(field, key, KEY_LENGTH_MAX);
}

export function textFault(field: string, text: string, lengthMax: number): Fault {
  return text.length <= lengthMax ? "" : `${field} is longer than ${lengthMax} characters`;
}

export function countFault(
  field: string,
  items: readonly unknown[],
  min: number,
  max: number,
): Fault {
  return rangeFault(`${field} count`, items.length, min, max);
}

export function rangeFault(field: string, value: number, min: number, max: number): Fault {
  const isInRange = Number.isSafeInteger(value) && value >= min && value <= max;
  return isInRange ? "" : `${field} is not within ${min} and ${max}`;
}
