import type { RhoneError } from "../errors/rhone-error.js";

export interface FairLineOptions {
  /** Jobs that may wait. */
  readonly most: number;
  /** How long one may wait, in milliseconds. */
  readonly withinMs: number;
  /** The error of one that can't wait; `why`: "64 requests are waiting". */
  readonly busy: (why: string) => RhoneError;
}

interface Waiting {
  readonly start: () => void;
  readonly refuse: (why: string) => void;
}

/**
 * Runs jobs one at a time. Those that wait take turns by owner, and where too many wait, the owner of the most has to
 * go: nobody's many delay another's few.
 */
export class FairLine {
  readonly #options: FairLineOptions;
  /** The waiting jobs of each owner, the owner whose turn it is first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #count = 0;
  #isBusy = false;

  constructor(options: FairLineOptions) {
    this.#options = options;
  }

  /** What `job` returns or throws. Throws `busy` when too many wait, or for too long. */
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
    const { most, withinMs, busy } = this.#options;
    return new Promise((resolve, reject) => {
      const refuse = (why: string): void => {
        clearTimeout(timer);
        reject(busy(why));
      };
      const start = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const waiting: Waiting = { start, refuse };
      const timer = setTimeout(() => {
        refuse(`${this.#count} requests are waiting, one for ${withinMs} ms`);
        this.#remove(owner, waiting);
      }, withinMs);
      this.#waiting.set(owner, [...(this.#waiting.get(owner) ?? []), waiting]);
      this.#count++;
      if (this.#count > most) this.#shorten();
    });
  }

  /** Refuses the last job of the owner who has the most. */
  #shorten(): void {
    let [longest, jobs] = ["", [] as readonly Waiting[]];
    for (const [owner, theirs] of this.#waiting) if (theirs.length >= jobs.length) [longest, jobs] = [owner, theirs];
    const last = jobs.at(-1);
    if (last === undefined) return;
    this.#remove(longest, last);
    last.refuse(`${this.#count} requests are waiting`);
  }

  #remove(owner: string, gone: Waiting): void {
    const left = (this.#waiting.get(owner) ?? []).filter((each) => each !== gone);
    if (left.length > 0) this.#waiting.set(owner, left);
    else this.#waiting.delete(owner);
    this.#count--;
  }

  /** Starts the first job of the owner whose turn it is, who goes to the end of the line; false when none waits. */
  #next(): boolean {
    const [first] = this.#waiting;
    if (first === undefined) return false;
    const [owner, jobs] = first;
    this.#waiting.delete(owner);
    const [next, ...rest] = jobs;
    if (rest.length > 0) this.#waiting.set(owner, rest);
    this.#count--;
    next?.start();
    return true;
  }
}
