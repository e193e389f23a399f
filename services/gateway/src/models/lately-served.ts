/** How long a request waits between two looks; statuses of coordinators are read that often. */
const LOOK_MS = 250;
/** Requests that wait. More would find no place among those whose texts wait to be tokenized when they go on. */
const MOST_WAITING = 256;

/**
 * When each model was served last. A pipeline that changes, or a coordinator that restarts, is back within seconds: new
 * requests wait for it, while a model that is away for longer refuses them at once.
 */
export class LatelyServed {
  readonly #waitMs: number;
  /** A process that has just started has seen nothing yet: all models count as served then. */
  readonly #startedAt = performance.now();
  /** On the performance clock, by the model's name. */
  readonly #servedAt = new Map<string, number>();
  /** By API key. */
  readonly #waiting = new Map<string, number>();
  #waitingAll = 0;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  served(model: string): void {
    this.#servedAt.set(model, performance.now());
  }

  /**
   * Resolves with true when another look is worth it, and with false when the model has been away for too long, or too
   * many wait. An API key has no more of these places than it leaves free.
   */
  async wait(model: string, owner: string): Promise<boolean> {
    const servedAt = this.#servedAt.get(model) ?? this.#startedAt;
    const theirs = this.#waiting.get(owner) ?? 0;
    if (performance.now() - servedAt >= this.#waitMs) return false;
    if (theirs >= MOST_WAITING - this.#waitingAll) return false;
    this.#count(owner, 1);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    this.#count(owner, -1);
    return true;
  }

  #count(owner: string, change: 1 | -1): void {
    const theirs = (this.#waiting.get(owner) ?? 0) + change;
    if (theirs === 0) this.#waiting.delete(owner);
    else this.#waiting.set(owner, theirs);
    this.#waitingAll += change;
  }
}
