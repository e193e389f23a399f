/** Runs jobs a few at a time, in about the order in which they come. */
export class Lanes {
  readonly #last: Promise<unknown>[];
  #count = 0;

  /** `atOnce`: jobs that run at the same time; each lane runs one after another. */
  constructor(atOnce: number) {
    this.#last = Array.from({ length: atOnce }, () => Promise.resolve());
  }

  /** What `job` returns or throws. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const lane = this.#count++ % this.#last.length;
    const done = (this.#last[lane] ?? Promise.resolve()).then(job);
    this.#last[lane] = done.catch(() => {});
    return done;
  }
}
