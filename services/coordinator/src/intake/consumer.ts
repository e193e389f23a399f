import { LaneConsumer, type LaneConsumerOptions } from "./lane-consumer.js";

/** Takes jobs from the queues of both lanes while the pipeline is ready. */
export class Consumer {
  readonly #lanes: readonly LaneConsumer[];

  /** Takes nothing until `resume` is called. */
  constructor(options: LaneConsumerOptions) {
    this.#lanes = (["interactive", "batch"] as const).map((lane) => new LaneConsumer(lane, options));
  }

  /** Takes jobs from now on. */
  resume(): void {
    for (const lane of this.#lanes) lane.resume();
  }

  /** Takes no more jobs; those taken go on. */
  pause(): void {
    for (const lane of this.#lanes) lane.pause();
  }

  /** Takes no more jobs, and waits until those taken are completed or back in their queues. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}
