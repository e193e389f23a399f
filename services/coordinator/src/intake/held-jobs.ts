/** Thrown into the run of a job that goes back to its queue, for an earlier turn or for another coordinator. */
export class HandedBack extends Error {}

/** The jobs that a coordinator has taken from a queue, with their turns. */
export class HeldJobs {
  readonly #turns = new Map<string, number>();
  readonly #handBack: (requestId: string, reason: Error) => boolean;

  /** `handBack` gives a job up; false when it has begun. */
  constructor(handBack: (requestId: string, reason: Error) => boolean) {
    this.#handBack = handBack;
  }

  get size(): number {
    return this.#turns.size;
  }

  add(requestId: string, turn: number): void {
    this.#turns.set(requestId, turn);
  }

  delete(requestId: string): void {
    this.#turns.delete(requestId);
  }

  /** Hands back jobs that have not begun, the last turns first, `most` of them at most. Returns how many. */
  give(most: number): number {
    let given = 0;
    for (const [requestId] of this.#lastFirst()) {
      if (given >= most) break;
      if (this.#handBack(requestId, new HandedBack("Another coordinator of the model has less to do."))) given++;
    }
    return given;
  }

  /**
   * Hands back a job for each one that waits with an earlier turn, the last turns first. `waiting`: turns, ascending.
   */
  makeWay(waiting: readonly number[]): void {
    const held = this.#lastFirst();
    for (const turn of waiting) {
      for (const [requestId, its] of held) {
        if (its <= turn) return;
        if (this.#handBack(requestId, new HandedBack(`A job whose turn is ${turn} goes before turn ${its}.`))) break;
      }
    }
  }

  /** For one walk, over all jobs. */
  #lastFirst() {
    return [...this.#turns].sort(([, a], [, b]) => b - a).values();
  }
}
