import type { Sequence } from "./sequence.js";

/** Sequences that wait for pages, in rank order: interactive before batch, first come first served. */
export class WaitingLine {
  readonly #lanes: Record<"interactive" | "batch", Sequence[]> = { interactive: [], batch: [] };

  get size(): number {
    return this.#lanes.interactive.length + this.#lanes.batch.length;
  }

  head(): Sequence | undefined {
    return this.#lanes.interactive[0] ?? this.#lanes.batch[0];
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    yield* this.#lanes.interactive;
    yield* this.#lanes.batch;
  }

  /** Places it by rank: a newcomer at the end, a preempted one where it stood. */
  add(sequence: Sequence): void {
    const lane = this.#lanes[sequence.job.lane];
    const after = lane.findLastIndex((other) => other.rank < sequence.rank);
    lane.splice(after + 1, 0, sequence);
  }

  remove(sequence: Sequence): void {
    const lane = this.#lanes[sequence.job.lane];
    const at = lane.indexOf(sequence);
    if (at >= 0) lane.splice(at, 1);
  }
}
