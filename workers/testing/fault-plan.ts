// What is to go wrong: attempts of a kind that throw instead of running its handler.
//
// Guarantees: a failure that was asked for happens to one attempt, the next one of its kind to
// start; its payload is looked at before, as always.

import assert from "node:assert";
import type { JobDefinition } from "../define-job.ts";

export class FaultPlan {
  readonly #definitions: ReadonlyMap<string, JobDefinition>;
  readonly #errors = new Map<string, unknown[]>();

  constructor(definitions: ReadonlyMap<string, JobDefinition>) {
    this.#definitions = definitions;
  }

  failNext(kind: string, error: unknown, times: number): void {
    assert(this.#definitions.has(kind), `this pipeline has no job of kind ${kind}`);
    const errors = this.#errors.get(kind) ?? [];
    this.#errors.set(kind, [...errors, ...Array.from({ length: times }, () => error)]);
  }

  /** To be asked once an attempt. */
  definitionOf(kind: string): JobDefinition | undefined {
    const definition = this.#definitions.get(kind);
    const errors = this.#errors.get(kind) ?? [];
    if (definition === undefined || errors.length === 0) return definition;
    const error = errors.shift();
    return { ...definition, run: () => Promise.reject(error) };
  }
}
