// "Did you mean …?": the known word that a mistyped one is nearest to.
//
// Guarantees: null rather than a far-fetched guess; case does not count.

/** Edits allowed per character of the longer word. */
const EDITS_PER_CHARACTER_MAX = 0.34;

export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestEdits = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    const editsMax = Math.max(word.length, candidate.length) * EDITS_PER_CHARACTER_MAX;
    if (edits < bestEdits && edits <= editsMax) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** Levenshtein: insertions, deletions and substitutions, one row of the table at a time. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const substituted = at(row, j - 1) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(at(row, j) + 1, at(next, j - 1) + 1, substituted));
    }
    row = next;
  }
  return at(row, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
