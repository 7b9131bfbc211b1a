// Dropped messages, counted by cause: loss is normal on this path, unseen loss is not.

export class DropCount {
  readonly #counts = new Map<string, number>();

  add(cause: string): void {
    this.#counts.set(cause, (this.#counts.get(cause) ?? 0) + 1);
  }

  snapshot(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
