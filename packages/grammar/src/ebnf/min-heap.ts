interface Entry<T> {
  readonly key: number;
  readonly value: T;
}

/** A binary heap: gives values back from the least key on. */
export class MinHeap<T> {
  readonly #entries: Entry<T>[] = [];

  push(key: number, value: T): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push({ key, value });
    while (at > 0 && this.#isLess(at, (at - 1) >> 1)) {
      this.#swap(at, (at - 1) >> 1);
      at = (at - 1) >> 1;
    }
  }

  /** undefined when it is empty. */
  pop(): Entry<T> | undefined {
    const entries = this.#entries;
    if (entries.length === 0) return undefined;
    this.#swap(0, entries.length - 1);
    const least = entries.pop();
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const child = this.#isLess(right, left) ? right : left;
      if (!this.#isLess(child, at)) return least;
      this.#swap(child, at);
      at = child;
    }
  }

  /** Whether there is an entry at `a`, with a lesser key than at `b`. */
  #isLess(a: number, b: number): boolean {
    return (this.#entries[a]?.key ?? Number.POSITIVE_INFINITY) < (this.#entries[b]?.key ?? Number.POSITIVE_INFINITY);
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#entries[a], this.#entries[b]];
    if (first === undefined || second === undefined) return;
    this.#entries[a] = second;
    this.#entries[b] = first;
  }
}
