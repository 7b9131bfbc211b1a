// A planted bug: a patch of the sources, and what has to notice it.
//
// Guarantees: plain data. `find` occurs exactly once in today's file, or applying it is an error:
// a patch that silently does nothing would be counted as a bug that nobody caught.
// Does not own: where the patched sources run (workspace.ts, hunt.ts).

export interface Edit {
  /** From the project's root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** The lesson it breaks (L1 and on), or the area where no list has it. */
  readonly lesson: string;
  /** What is wrong now, in plain words. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
  /** Invariants whose violation is the bug's own doing; anything else is told as unexpected. */
  readonly caughtBy: readonly string[];
  /** Seeds that the simulator may need; SEEDS_MAX if absent. */
  readonly seedsMax?: number;
  /** Why no seed shows it, for one that is known to survive. */
  readonly survives?: string;
  /** The test that fails instead; it is run, to see that it does. */
  readonly test?: string;
}

export const SEEDS_MAX = 200;

export function seedsMaxOf({ seedsMax }: Mutant): number {
  return seedsMax ?? SEEDS_MAX;
}

export function filesOf({ edits }: Mutant): string[] {
  return [...new Set(edits.map(({ file }) => file))];
}

/** The same bug in a core whose own assertions say nothing: does anybody else notice? */
export function silenced(mutant: Mutant): Mutant {
  const silence: Edit = {
    file: "raft/invariant.ts",
    find: "  if (condition) return;\n",
    replace: "  if (condition || detail.length >= 0) return;\n",
  };
  return { ...mutant, edits: [...mutant.edits, silence] };
}

/** The text with all the edits of this file. Throws if one has no place, or several. */
export function patched(mutant: Mutant, file: string, text: string): string {
  let result = text;
  for (const edit of mutant.edits) {
    if (edit.file !== file) continue;
    const places = result.split(edit.find).length - 1;
    if (places !== 1) {
      throw new Error(`${mutant.name}: its text occurs ${places} times in ${file}:\n${edit.find}`);
    }
    // A function, since a text may hold "$&".
    result = result.replace(edit.find, () => edit.replace);
  }
  return result;
}
