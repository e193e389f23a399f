import { RhoneError } from "@rhone/common";

/** Runs jobs one at a time. Those that wait take turns by owner, so that nobody's many delay another's few. */
export class FairLine {
  readonly #most: number;
  /** The waiting jobs of each owner, the owner whose turn it is first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #count = 0;
  #isBusy = false;

  /** `most`: jobs that may wait. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What `job` returns or throws. Throws GRAMMARS_BUSY when too many are waiting. */
  async run<T>(owner: string, job: () => Promise<T>): Promise<T> {
    if (this.#isBusy) await this.#turn(owner);
    this.#isBusy = true;
    try {
      return await job();
    } finally {
      this.#isBusy = this.#next();
    }
  }

  #turn(owner: string): Promise<void> {
    if (this.#count >= this.#most) {
      const message = `${this.#count} requests are waiting for their grammars to be checked; try again.`;
      throw new RhoneError("GRAMMARS_BUSY", message);
    }
    this.#count++;
    return new Promise((resolve) => {
      const jobs = this.#waiting.get(owner);
      if (jobs === undefined) this.#waiting.set(owner, [resolve]);
      else jobs.push(resolve);
    });
  }

  /** Starts the first job of the owner whose turn it is, who goes to the end of the line; false when none waits. */
  #next(): boolean {
    const [first] = this.#waiting;
    if (first === undefined) return false;
    const [owner, jobs] = first;
    this.#waiting.delete(owner);
    const [start, ...rest] = jobs;
    if (rest.length > 0) this.#waiting.set(owner, rest);
    this.#count--;
    start?.();
    return true;
  }
}
