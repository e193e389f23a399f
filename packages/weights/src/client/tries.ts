import { setTimeout as sleep } from "node:timers/promises";
import { toRhoneError } from "@rhone/common";

/** Consecutive tries that bring nothing, before a peer is given up: 7 s of pauses. */
const MOST_FRUITLESS = 6;
const BACKOFF_MS = 200;
const LONGEST_PAUSE_MS = 3000;

/** Whether to try again after a failure, and when. */
export class Tries {
  readonly #backoffMs: number;
  #fruitless = 0;

  /** `backoffMs`: the first pause, which doubles with each fruitless try. */
  constructor(backoffMs = BACKOFF_MS) {
    this.#backoffMs = backoffMs;
  }

  /** Something came. */
  moved(): void {
    this.#fruitless = 0;
  }

  /** Resolves when it is time to try again. Throws `error` when that is of no use, and the signal's reason. */
  async after(error: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#fruitless++;
    if (!toRhoneError(error).row.retryable || this.#fruitless >= MOST_FRUITLESS) throw error;
    const pauseMs = Math.min(this.#backoffMs * 2 ** (this.#fruitless - 1), LONGEST_PAUSE_MS);
    await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
