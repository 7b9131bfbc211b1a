// The jobs of a request with their children, as the flat list that a command takes.
//
// Guarantees: parents stand before their children; every problem of every job is named with its
// path, such as job.children[2].children[0].kind. Nothing is walked deeper or longer than allowed.
// Does not own: what a single job may look like (validate.ts).

import type { JobSpec } from "../../ledger/command.ts";
import type { JobSpec as WireJobSpec } from "../../protos/gen/quorumq/v1/job.ts";
import { BATCH_JOBS_MAX, FAMILY_LEVELS_MAX } from "../../transport/limit.ts";
import { checkSpec } from "./validate-spec.ts";
import { quoted, type Violations } from "./violations.ts";

export class FlatJobs {
  readonly specs: JobSpec[] = [];
  /** Of each job in the request. */
  readonly paths: string[] = [];
  /** Positions of the jobs that are nobody's children. */
  readonly roots: number[] = [];
  readonly #traceparent: string;
  readonly #violations: Violations;
  #isTooLong = false;

  constructor(traceparent: string, violations: Violations) {
    this.#traceparent = traceparent;
    this.#violations = violations;
  }

  /** A job that is nobody's child, and all below it. */
  add(job: WireJobSpec | undefined, path: string): void {
    this.roots.push(this.specs.length);
    this.#add(job, path, { parent: 0, level: 1 });
  }

  /** The positions of its children. */
  childrenOf(position: number): number[] {
    const children: number[] = [];
    for (const [at, { parent }] of this.specs.entries()) {
      if (parent === position + 1) children.push(at);
    }
    return children;
  }

  #add(
    job: WireJobSpec | undefined,
    path: string,
    place: { readonly parent: number; readonly level: number },
  ): void {
    if (this.#isTooLong) return;
    if (this.specs.length >= BATCH_JOBS_MAX) {
      this.#isTooLong = true;
      const limit = `at most ${BATCH_JOBS_MAX} with all children; submit the rest apart`;
      this.#violations.add(path, "is one job too many", `more than ${BATCH_JOBS_MAX}`, limit);
      return;
    }
    const spec = checkSpec(job, path, this.#traceparent, this.#violations);
    if (job === undefined || spec === null) return;
    const { parent, level } = place;
    if (parent > 0 && job.idempotencyKey !== "") {
      const limit = "none for a child: the key of the topmost job stands for all";
      const value = quoted(job.idempotencyKey);
      this.#violations.add(`${path}.idempotency_key`, "is given to a child", value, limit);
    }
    this.specs.push({ ...spec, parent });
    this.paths.push(path);
    if (job.children.length === 0) return;
    if (level >= FAMILY_LEVELS_MAX) {
      const limit = `at most ${FAMILY_LEVELS_MAX} levels, the topmost job's included`;
      this.#violations.add(`${path}.children`, "is too deep", `level ${level + 1}`, limit);
      return;
    }
    const own = this.specs.length;
    for (const [at, child] of job.children.entries()) {
      if (this.#isTooLong) break;
      this.#add(child, `${path}.children[${at}]`, { parent: own, level: level + 1 });
    }
  }
}
