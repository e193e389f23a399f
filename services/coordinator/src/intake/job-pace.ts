import { setImmediate } from "node:timers";

/** Jobs that go on in one turn of the event loop: the parts between two waits take about 1 ms each. */
const AT_ONCE = 4;

/**
 * Lets jobs go on a few at a time. What Redis answers in one read goes on in one turn of the event loop: 256 jobs whose
 * clients had left at once were turns of 0.3 s, in which everybody's steps waited.
 */
export class JobPace {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a later turn of the event loop, first come, first served. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => this.#serve());
    });
  }

  #serve(): void {
    for (const resolve of this.#waiting.splice(0, AT_ONCE)) resolve();
    if (this.#waiting.length > 0) setImmediate(() => this.#serve());
  }
}
