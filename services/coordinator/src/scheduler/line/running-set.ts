import type { Sequence } from "../sequence.js";

/** The sequences that hold pages or may take some. */
export class RunningSet implements Iterable<Sequence> {
  readonly #sequences = new Set<Sequence>();

  get size(): number {
    return this.#sequences.size;
  }

  [Symbol.iterator](): Iterator<Sequence> {
    return this.#sequences.values();
  }

  add(sequence: Sequence): void {
    this.#sequences.add(sequence);
  }

  delete(sequence: Sequence): void {
    this.#sequences.delete(sequence);
  }

  clear(): void {
    this.#sequences.clear();
  }

  isLeastRank(sequence: Sequence): boolean {
    for (const other of this.#sequences) if (other.rank < sequence.rank) return false;
    return true;
  }

  /** The sequence to evict: of greatest rank (the newest of the batch lane, else the newest) among those that `may` be. */
  greatest(may: (sequence: Sequence) => boolean): Sequence | null {
    let greatest: Sequence | null = null;
    for (const other of this.#sequences) {
      if ((greatest === null || other.rank > greatest.rank) && may(other)) greatest = other;
    }
    return greatest;
  }
}
