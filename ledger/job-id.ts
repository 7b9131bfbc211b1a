// A job's id: the entry that accepted it, and its place among the jobs of that entry.
//
// Guarantees: an id is written in one way only, so that ids and places are the same thing.

export interface JobPlace {
  readonly logIndex: number;
  /** Among the jobs of its entry, from 1; 0: it is the only one. */
  readonly position: number;
}

const ID = /^j-([1-9][0-9]{0,15})(?:-([1-9][0-9]{0,15}))?$/;

export function jobIdOf({ logIndex, position }: JobPlace): string {
  return position === 0 ? `j-${logIndex}` : `j-${logIndex}-${position}`;
}

/** null: no job has such an id. */
export function placeOf(id: string): JobPlace | null {
  const match = ID.exec(id);
  if (match === null) return null;
  const place = { logIndex: Number(match[1]), position: Number(match[2] ?? 0) };
  const isSafe = Number.isSafeInteger(place.logIndex) && Number.isSafeInteger(place.position);
  return isSafe ? place : null;
}
