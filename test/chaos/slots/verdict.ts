// Whether the jobs of a schedule are those of its slots: what a run of it has to show.
//
// Guarantees: knows slots by counting only. Its failures name the first slots that are wrong.

export interface SlotJob {
  readonly slotMs: number;
  /** When the ledger made it. */
  readonly createdMs: number;
}

export interface SlotVerdict {
  readonly slots: number;
  readonly jobs: number;
  /** Slots between the first and the last one that have no job. */
  readonly missing: readonly number[];
  /** Slots whose job came later than the schedule allows before they count as missed. */
  readonly late: readonly number[];
  readonly delayMsMax: number;
  /** Slots with two jobs, and jobs of no slot. */
  readonly failures: readonly string[];
}

export interface Slots {
  readonly everyMs: number;
  /** The first slot that there has to be. */
  readonly firstMs: number;
  readonly missedAfterMs: number;
}

const NAMED_MAX = 5;

export function verdictOf(jobs: readonly SlotJob[], slots: Slots): SlotVerdict {
  const { everyMs, firstMs, missedAfterMs } = slots;
  const made = new Set(jobs.map(({ slotMs }) => slotMs));
  const lastMs = Math.max(firstMs, ...made);
  const expected: number[] = [];
  for (let slotMs = firstMs; slotMs <= lastMs; slotMs += everyMs) expected.push(slotMs);
  const known = new Set(expected);
  const foreign = [...made].filter((slotMs) => !known.has(slotMs));
  const doubled = jobs
    .map(({ slotMs }) => slotMs)
    .filter((slotMs, at, all) => {
      return all.indexOf(slotMs) !== at;
    });
  const delays = jobs.map(({ slotMs, createdMs }) => createdMs - slotMs);
  const early = jobs.filter(({ slotMs, createdMs }) => createdMs < slotMs);
  return {
    slots: expected.length,
    jobs: jobs.length,
    missing: expected.filter((slotMs) => !made.has(slotMs)),
    late: jobs
      .filter(({ slotMs, createdMs }) => createdMs - slotMs > missedAfterMs)
      .map(({ slotMs }) => slotMs),
    delayMsMax: Math.max(0, ...delays),
    failures: [
      ...named("two jobs", doubled),
      ...named("no slot", foreign),
      ...named(
        "made before it",
        early.map(({ slotMs }) => slotMs),
      ),
    ],
  };
}

/** Whether these slots follow each other without a gap. */
export function isOneRow(slots: readonly number[], everyMs: number): boolean {
  return slots.every((slotMs, at) => at === 0 || slotMs === (slots[at - 1] ?? 0) + everyMs);
}

function named(what: string, slots: readonly number[]): string[] {
  if (slots.length === 0) return [];
  const times = slots.slice(0, NAMED_MAX).map((slotMs) => new Date(slotMs).toISOString());
  return [`${what}: ${slots.length} slots, such as ${times.join(", ")}`];
}
