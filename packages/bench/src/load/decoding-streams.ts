import { RhoneError } from "@rhone/common";
import type { Arrivals } from "../figures/steady-window.js";
import type { Load } from "./run-streams.js";
import { TokenStream } from "./token-stream.js";

interface Milestone {
  readonly count: number;
  readonly reached: () => void;
}

/** Streams that decode in the background until `leave`; they are sent at once. */
export class DecodingStreams {
  readonly #streams: readonly TokenStream[];
  /** Rejects when a stream fails or ends on its own. */
  readonly #broken: Promise<never>;
  #milestones: readonly Milestone[] = [];

  constructor(load: Omit<Load, "onAllDecoding" | "onFirstEnd">) {
    const onToken = (): void => this.#progress();
    this.#streams = load.prompts.map((prompt) => new TokenStream({ ...load, prompt, onToken }));
    this.#broken = Promise.race(this.#streams.map(({ done }) => done)).then(() => {
      throw new RhoneError(
        "MEASUREMENT_VOID",
        `A stream generated its ${load.maxTokens} tokens before the measurement was over. ` +
          "Serve a longer context, or measure for a shorter time.",
      );
    });
    this.#broken.catch(() => {}); // `during` rejects with it
    for (const { done } of this.#streams) done.catch(() => {});
    for (const stream of this.#streams) stream.send();
  }

  /** One growing list per stream. */
  get arrivals(): readonly Arrivals[] {
    return this.#streams.map(({ arrivals }) => arrivals);
  }

  /** Resolves when each stream has `count` tokens. */
  allReach(count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#milestones = [...this.#milestones, { count, reached: resolve }];
    });
    this.#progress();
    return this.during(reached);
  }

  /** Resolves as `work` does; rejects early when a stream fails. */
  during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#broken]);
  }

  leave(): void {
    for (const stream of this.#streams) stream.leave();
  }

  #progress(): void {
    if (this.#milestones.length === 0) return;
    const least = Math.min(...this.#streams.map(({ arrivals }) => arrivals.length));
    const due = this.#milestones.filter(({ count }) => count <= least);
    this.#milestones = this.#milestones.filter(({ count }) => count > least);
    for (const { reached } of due) reached();
  }
}
