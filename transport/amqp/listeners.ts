// Who wants to be told of something. A listener that throws is a bug and ends the process.

export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** Returns the function that ends it. */
  add(listener: (value: T) => void): () => void {
    // Wrapped, so that one function added twice is told twice and removed once.
    const own = (value: T): void => listener(value);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  tell(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }
}
