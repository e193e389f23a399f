import type { Sequence } from "./sequence.js";

/** Decoding sequences that share micro-batches. */
interface Group {
  /** Running sequences that belong to it, in whatever phase. */
  members: number;
  /** A micro-batch with its decode rows is in flight. */
  busy: boolean;
  /** Members whose next row can be computed. */
  readonly ready: Set<Sequence>;
}

/**
 * Sticky groups: while one group's rows are on one stage, the other groups' rows are on the others, and none waits for
 * another. How many groups are in use changes with the load; a sequence moves only when it has nothing in flight.
 */
export class Groups {
  readonly #groups: readonly Group[];
  #used: number;
  #last = 0;

  /** `most`: groups that there can be; `used` of them take sequences at first. */
  constructor(most: number, used: number) {
    this.#groups = Array.from({ length: most }, () => ({ members: 0, busy: false, ready: new Set<Sequence>() }));
    this.#used = used;
  }

  /** Groups that take sequences. */
  get used(): number {
    return this.#used;
  }

  use(count: number): void {
    this.#used = Math.min(Math.max(1, count), this.#groups.length);
  }

  join(sequence: Sequence): void {
    sequence.group = this.#smallest();
    this.#of(sequence.group).members++;
  }

  leave(sequence: Sequence): void {
    const group = this.#of(sequence.group);
    group.members--;
    group.ready.delete(sequence);
  }

  /** Its next row can be computed. It moves first when its group has become too large or is given up. */
  markReady(sequence: Sequence): void {
    const smallest = this.#smallest();
    const excess = this.#of(sequence.group).members - this.#of(smallest).members;
    if (excess >= 2 || sequence.group >= this.#used) {
      this.leave(sequence);
      sequence.group = smallest;
      this.#of(smallest).members++;
    }
    this.#of(sequence.group).ready.add(sequence);
  }

  /** The next idle group with rows to compute, in turn, or null. */
  next(): number | null {
    for (let step = 1; step <= this.#groups.length; step++) {
      const index = (this.#last + step) % this.#groups.length;
      const group = this.#of(index);
      if (!group.busy && group.ready.size > 0) return index;
    }
    return null;
  }

  ready(group: number): ReadonlySet<Sequence> {
    return this.#of(group).ready;
  }

  taken(sequence: Sequence): void {
    this.#of(sequence.group).ready.delete(sequence);
  }

  sent(group: number): void {
    this.#of(group).busy = true;
    this.#last = group;
  }

  returned(group: number): void {
    this.#of(group).busy = false;
  }

  #smallest(): number {
    let best = 0;
    for (let index = 1; index < this.#used; index++) {
      if (this.#of(index).members < this.#of(best).members) best = index;
    }
    return best;
  }

  #of(index: number): Group {
    const group = this.#groups[index];
    if (group === undefined) throw new RangeError(`group ${index} of ${this.#groups.length}`);
    return group;
  }
}
