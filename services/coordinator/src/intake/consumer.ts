import { LaneConsumer, type LaneConsumerOptions } from "./lane-consumer.js";
import { ReplicaLoads, surplus } from "./replica-loads.js";

/** How often the model's other coordinators hear how many jobs this one holds, and get those that it should not. */
const TELL_MS = 250;

export interface ConsumerOptions extends Omit<LaneConsumerOptions, "loads"> {
  /** Names this coordinator alone. */
  readonly id: string;
}

/** Takes jobs of the model from the queues of both lanes while the pipeline is ready, as many as is its share. */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #loads: ReplicaLoads;
  readonly #interactive: LaneConsumer;
  readonly #batch: LaneConsumer;
  #timer: NodeJS.Timeout | undefined;

  /** Takes nothing until `resume` is called. */
  constructor(options: ConsumerOptions) {
    const { redis, id, model, maxSequences } = options;
    this.#options = options;
    this.#loads = new ReplicaLoads({ redis, id, model, limit: maxSequences });
    this.#interactive = new LaneConsumer("interactive", { ...options, loads: this.#loads });
    this.#batch = new LaneConsumer("batch", { ...options, loads: this.#loads });
  }

  /** Takes jobs from now on. */
  resume(): void {
    this.#timer ??= setInterval(() => void this.#share(), TELL_MS);
    for (const lane of [this.#interactive, this.#batch]) lane.resume();
  }

  /** Takes no more jobs; those taken go on. */
  pause(): void {
    this.#leave();
    for (const lane of [this.#interactive, this.#batch]) lane.pause();
  }

  /** Takes no more jobs, and waits until those taken are completed or back in their queues. */
  async close(): Promise<void> {
    this.#leave();
    await Promise.all([this.#interactive.close(), this.#batch.close()]);
  }

  #leave(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#loads.leave().catch(() => {}); // its load is soon too old to count
  }

  /** Batch jobs go first: nobody waits for them. */
  async #share(): Promise<void> {
    try {
      const others = await this.#loads.tell();
      if (this.#timer === undefined) return this.#leave();
      const given = this.#batch.give(surplus(this.#loads.own, others));
      this.#interactive.give(surplus(this.#loads.own, others) - given);
    } catch (err) {
      this.#options.logger.warn({ err }, "load not told, trying again");
    }
  }
}
