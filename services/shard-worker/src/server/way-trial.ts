import type { FrameLink, FrameLinkOptions } from "@rhone/common";

const AGAIN_MS = 1000;
/** Between two words of the receiver, which come twice a second. */
const LONGEST_PAUSE_MS = 1500;

export interface WayTrialOptions {
  readonly open: (events: Pick<FrameLinkOptions, "onBroken" | "onHeard">) => Pick<FrameLink, "close">;
  /** How long the way must be open without a pause. */
  readonly provenMs: number;
  /** Called once. */
  readonly onProven: () => void;
}

/** Tries the way to a neighbour, over links that carry no frames, until it has been open for long enough. */
export class WayTrial {
  readonly #options: WayTrialOptions;
  #link: Pick<FrameLink, "close"> | null = null;
  #again: NodeJS.Timeout | undefined;
  /** On the performance clock: since when the neighbour has answered without a pause, and when it last did. */
  #openSince = Number.POSITIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(options: WayTrialOptions) {
    this.#options = options;
    this.#try();
  }

  close(): void {
    clearTimeout(this.#again);
    this.#link?.close();
  }

  #try(): void {
    this.#link = this.#options.open({
      onBroken: () => {
        this.#again = setTimeout(() => this.#try(), AGAIN_MS);
      },
      onHeard: () => this.#heard(),
    });
  }

  #heard(): void {
    const now = performance.now();
    if (now - this.#heardAt > LONGEST_PAUSE_MS) this.#openSince = now;
    this.#heardAt = now;
    if (now - this.#openSince < this.#options.provenMs) return;
    this.close();
    this.#options.onProven();
  }
}
