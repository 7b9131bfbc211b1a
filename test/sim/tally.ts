// Counts by name: what a run did, and which rare things it met.
//
// Guarantees: counts only rise. Tallies of several runs add up to the tally of all.

export type Counts = Readonly<Record<string, number>>;

export class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string, count = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + count;
  }

  most(name: string, value: number): void {
    this.counts[name] = Math.max(this.counts[name] ?? 0, value);
  }

  of(name: string): number {
    return this.counts[name] ?? 0;
  }

  addAll(counts: Counts): void {
    for (const [name, count] of Object.entries(counts)) {
      if (name.startsWith("most.")) this.most(name, count);
      else this.add(name, count);
    }
  }
}
