import type { GenerationJob } from "@rhone/common";
import type { Sequence } from "../sequence.js";
import { FairLine } from "./fair-queue.js";

/** Sequences that wait for pages: interactive before batch, and within a lane by fair shares of the API keys. */
export class WaitingLine {
  readonly #lanes: Record<GenerationJob["lane"], FairLine> = { interactive: new FairLine(), batch: new FairLine() };

  get size(): number {
    return this.#lanes.interactive.size + this.#lanes.batch.size;
  }

  head(): Sequence | undefined {
    return this.#lanes.interactive.head() ?? this.#lanes.batch.head();
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    yield* this.#lanes.interactive;
    yield* this.#lanes.batch;
  }

  add(sequence: Sequence): void {
    this.#laneOf(sequence).add(sequence);
  }

  remove(sequence: Sequence): void {
    this.#laneOf(sequence).remove(sequence);
  }

  /** It leaves the line to run, and its key pays for the rows that it has to compute. */
  start(sequence: Sequence, rows: number): void {
    const lane = this.#laneOf(sequence);
    lane.remove(sequence);
    lane.started(sequence.job.keyId);
    lane.charge(sequence.job.keyId, rows);
  }

  /** More tokens of a running sequence. */
  charge(sequence: Sequence, tokens: number): void {
    this.#laneOf(sequence).charge(sequence.job.keyId, tokens);
  }

  #laneOf({ job }: Sequence): FairLine {
    return this.#lanes[job.lane];
  }
}
