import type { PipelineState } from "@rhone/common";

/** How the pipeline fares, for those who ask and for the one who is told. */
export class PipelineStanding {
  #state: PipelineState = "waiting_for_workers";
  #reason: string | null = null;
  /** Why the last try failed, until one succeeds or the workers are others. */
  #failure: string | null = null;
  #changed: () => void = () => {};

  get state(): PipelineState {
    return this.#state;
  }

  /** Why it is not ready, or null. While it is tried again, why it failed is said as well. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Calls `changed` at each change, and when `tell` is called. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  /** Something else has changed that is told with it. */
  tell(): void {
    this.#changed();
  }

  become(state: PipelineState, reason: string | null): void {
    const isTry = state === "loading" || state === "probing";
    if (state === "failed") this.#failure = reason;
    else if (!isTry) this.#failure = null;
    this.#state = state;
    this.#reason = isTry && this.#failure !== null ? `${reason}; the last try failed: ${this.#failure}` : reason;
    this.#changed();
  }
}
