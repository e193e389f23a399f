import { setTimeout as sleep } from "node:timers/promises";

/** Timers of Node are late by a millisecond or two; this much is made up for. */
const SLACK_MS = 50;

/**
 * Lets bytes through at a rate, in the order in which they are asked for: streams that each ask for one piece at a time
 * get equal shares. The rate may change at any time.
 */
export class FairRate {
  readonly #bytesPerSecond: () => number;
  /** On the performance clock: when what was let through will have passed. */
  #freeAt = 0;

  /** `bytesPerSecond` is asked for each piece; Infinity: no limit. */
  constructor(bytesPerSecond: () => number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when `bytes` may pass. Throws the signal's reason. */
  async pass(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = performance.now();
    const begin = Math.max(this.#freeAt, now - SLACK_MS);
    this.#freeAt = begin + (1000 * bytes) / this.#bytesPerSecond();
    if (begin > now) await sleep(begin - now, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
