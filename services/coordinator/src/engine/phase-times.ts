import type { Timings } from "@rhone/common";

/** When one sequence was in which phase. Times are milliseconds on the engine's clock. */
export class PhaseTimes {
  #queuedMs = 0;
  #beganAt: number | null = null;
  #firstAt: number | null = null;

  /** Its first step is sent. `arrivedAtMs`: Unix milliseconds, by the clock of the gateway's machine. */
  began(now: number, arrivedAtMs: number): void {
    if (this.#beganAt !== null) return;
    this.#beganAt = now;
    this.#queuedMs = Math.max(0, Date.now() - arrivedAtMs);
  }

  /** It has drawn a token. */
  drew(now: number): void {
    this.#firstAt ??= now;
  }

  /** What each phase took when the sequence ends now; null when it never began. */
  endingAt(now: number): Timings | null {
    if (this.#beganAt === null) return null;
    const firstAt = this.#firstAt ?? now;
    return { queuedMs: this.#queuedMs, prefillMs: round(firstAt - this.#beganAt), decodeMs: round(now - firstAt) };
  }
}

/** To microseconds: the log need not hold more digits. */
const round = (ms: number): number => Math.max(0, Math.round(ms * 1000) / 1000);
