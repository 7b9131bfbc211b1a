// Verdicts on a disk, one a line, so that a campaign of an hour that was ended half-way goes on.
//
// Guarantees: a verdict counts only for the patch that it was given on: a mutant whose edits have
// changed since is hunted again. What the sources were is the caller's to know: delete the file
// when they change.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Verdict } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";

interface Line {
  readonly name: string;
  readonly patch: string;
  readonly verdict: Verdict;
}

export class VerdictLog {
  readonly #file: string | null;
  readonly #known = new Map<string, Line>();

  /** null: nothing is kept. */
  constructor(file: string | null) {
    this.#file = file;
    if (file === null || !existsSync(file)) return;
    const lines = readFileSync(file, "utf8").split("\n");
    for (const text of lines.filter((one) => one !== "")) {
      const line = JSON.parse(text) as Line;
      this.#known.set(line.name, line);
    }
  }

  /** null: there is none yet. */
  verdictOn(mutant: Mutant): Verdict | null {
    const line = this.#known.get(mutant.name);
    return line?.patch === patchOf(mutant) ? line.verdict : null;
  }

  add(mutant: Mutant, verdict: Verdict): void {
    if (this.#file === null) return;
    const line: Line = { name: mutant.name, patch: patchOf(mutant), verdict };
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

function patchOf({ edits, caughtBy, seedsMax }: Mutant): string {
  const text = JSON.stringify({ edits, caughtBy, seedsMax });
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
