// The problems of one request, collected so that the caller is told all of them at once.
//
// Guarantees: every problem names its field, the value found and the limit; the error's reason is
// PAYLOAD_TOO_LARGE if a size is among them, else INVALID_FIELD. However many there are, only
// VIOLATIONS_TOLD_MAX are kept and told; the rest are counted.
// Does not own: the rules (validate.ts).

import { VIOLATIONS_TOLD_MAX } from "../../transport/limit.ts";
import type { PipelineError, Violation } from "../../transport/pipeline-error.ts";
import { refusal } from "../../transport/reason.ts";

interface Problem extends Violation {
  readonly value: string;
  readonly limit: string;
}

/** Values are named in part: they may be as long as a message. */
const VALUE_LENGTH_MAX = 64;

export class Violations {
  readonly #problems: Problem[] = [];
  #count = 0;
  #isTooLarge = false;

  /** `value` as it is to be shown; `limit` says what would be right, such as "0 to 1000". */
  add(field: string, problem: string, value: string | number, limit: string): void {
    this.#count += 1;
    if (this.#count > VIOLATIONS_TOLD_MAX) return;
    const description = `${problem}, got ${value}; allowed: ${limit}`;
    this.#problems.push({ field, description, value: String(value), limit });
  }

  addTooLarge(field: string, bytes: number, bytesMax: number): void {
    this.#isTooLarge = true;
    const limit = `at most ${bytesMax} bytes; store larger things elsewhere and name them`;
    this.add(field, "is too large", `${bytes} bytes`, limit);
  }

  /** Throws if there is a problem. */
  requireNone(): void {
    const [first] = this.#problems;
    if (first !== undefined) throw this.#error(first);
  }

  #error(first: Problem): PipelineError {
    const count = this.#count;
    const message = `${first.field} ${first.description}`;
    return refusal(
      this.#isTooLarge ? "PAYLOAD_TOO_LARGE" : "INVALID_FIELD",
      count === 1 ? message : `${count} fields are wrong; the first: ${message}`,
      {
        metadata: {
          field: first.field,
          value: first.value,
          limit: first.limit,
          violation_count: String(count),
        },
        violations: this.#problems.map(({ field, description }) => ({ field, description })),
      },
    );
  }
}

/** What a caller gave, as the message shows it. */
export function quoted(value: string): string {
  const isLong = value.length > VALUE_LENGTH_MAX;
  return JSON.stringify(isLong ? `${value.slice(0, VALUE_LENGTH_MAX)}…` : value);
}
