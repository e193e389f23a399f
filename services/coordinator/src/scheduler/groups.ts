import type { StepCosts } from "./budget/step-costs.js";
import { TUNING } from "./budget/tuning.js";
import type { Sequence } from "./sequence.js";

/** Decoding sequences that share micro-batches. */
interface Group {
  /** Running sequences that belong to it, prefilling ones included. */
  members: number;
  /** Micro-batches with its decode rows that are in flight. */
  inFlight: number;
  /** Members whose next row can be computed when the rows in flight are. */
  readonly ready: Set<Sequence>;
}

/**
 * Sticky groups of decoding sequences: while one group's rows are on one stage, the other groups' rows are on the
 * others, and none waits for another. The number of groups in use follows the load; a sequence changes its group only
 * when its next row can be sent.
 */
export class Groups {
  readonly #groups: readonly Group[];
  readonly #groupOf = new Map<Sequence, number>();
  #used: number;
  #lastSent = 0;

  /** `most`: groups that there can be; the first `used` of them take sequences until `use` changes that. */
  constructor(most: number, used: number) {
    this.#groups = Array.from({ length: most }, () => ({ members: 0, inFlight: 0, ready: new Set<Sequence>() }));
    this.#used = used;
  }

  /** Groups that take sequences. */
  get used(): number {
    return this.#used;
  }

  use(count: number): void {
    this.#used = Math.min(Math.max(1, count), this.#groups.length);
  }

  /** A sequence runs: it joins the group with the fewest members. */
  join(sequence: Sequence): void {
    this.#move(sequence, this.#smallest());
  }

  leave(sequence: Sequence): void {
    const index = this.#groupOf.get(sequence);
    if (index === undefined) return;
    this.#groupOf.delete(sequence);
    const group = this.#at(index);
    group.members--;
    group.ready.delete(sequence);
  }

  /**
   * The sequence's next row can be computed. It moves first if its group is 2 members too large or no longer in use.
   */
  markReady(sequence: Sequence): void {
    const index = this.#groupOf.get(sequence) ?? 0;
    const smallest = this.#smallest();
    const excess = this.#at(index).members - this.#at(smallest).members;
    const moves = excess >= 2 || index >= this.#used;
    if (moves) {
      this.leave(sequence);
      this.#move(sequence, smallest);
    }
    this.#at(moves ? smallest : index).ready.add(sequence);
  }

  /**
   * The next group in turn with rows to compute, or null. One with nothing in flight needs a member whose token is
   * known: behind a prompt's last rows nobody goes ahead alone, because other prompts may come before these return.
   * With `ahead` a group that has rows in flight may follow them at once.
   */
  next({ ahead }: { readonly ahead: boolean }): number | null {
    for (let step = 1; step <= this.#groups.length; step++) {
      const index = (this.#lastSent + step) % this.#groups.length;
      const { inFlight, ready } = this.#at(index);
      if (inFlight === 0 ? [...ready].some(({ knowsNext }) => knowsNext) : ahead && ready.size > 0) return index;
    }
    return null;
  }

  ready(group: number): ReadonlySet<Sequence> {
    return this.#at(group).ready;
  }

  /** The sequence's next row is in a micro-batch. */
  unmarkReady(sequence: Sequence): void {
    this.#at(this.#groupOf.get(sequence) ?? 0).ready.delete(sequence);
  }

  sent(group: number): void {
    this.#at(group).inFlight++;
    this.#lastSent = group;
  }

  returned(group: number): void {
    this.#at(group).inFlight--;
  }

  #move(sequence: Sequence, to: number): void {
    this.#groupOf.set(sequence, to);
    this.#at(to).members++;
  }

  #smallest(): number {
    let best = 0;
    for (let index = 1; index < this.#used; index++) {
      if (this.#at(index).members < this.#at(best).members) best = index;
    }
    return best;
  }

  #at(index: number): Group {
    const group = this.#groups[index];
    if (group === undefined) throw new RangeError(`Group ${index} does not exist: there are ${this.#groups.length}.`);
    return group;
  }
}

/**
 * How many groups `sequences` running sequences should decode in, 1 to stages + 1: the number with the shortest cycle,
 * in which every sequence gets one token. `current` stays unless another number is clearly better.
 *
 * A single group that goes ahead has two steps on the way, so that it waits only for hops longer than its step. Slowest
 * stage 10 ms for 4 rows and 18 ms for 8, two stages, 1 ms between: 2 groups of 4 take max(20, 21) = 21 ms, one
 * of 8 takes max(18, 37) = 37 ms.
 */
export function chooseGroupCount(options: {
  readonly sequences: number;
  readonly stages: number;
  readonly goesAhead: boolean;
  readonly costs: StepCosts;
  readonly current: number;
}): number {
  const { sequences, stages, goesAhead, costs, current } = options;
  if (!costs.known) return stages;
  const cycleMs = (groups: number): number =>
    costs.cycle(Math.max(1, sequences), groups, goesAhead && groups === 1 ? 2 : 1);
  let best = Math.min(current, stages + 1);
  for (let groups = 1; groups <= stages + 1; groups++) {
    const factor = groups === stages ? TUNING.regroupToStages : TUNING.regroupGain;
    if (groups !== best && cycleMs(groups) < cycleMs(best) * factor) best = groups;
  }
  return best;
}
