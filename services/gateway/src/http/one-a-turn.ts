import { setImmediate as turn } from "node:timers/promises";

/** Lets those who wait go on one in each turn of the event loop, in their order; what they do is then not one turn. */
export class OneATurn {
  #last: Promise<unknown> = Promise.resolve();

  next(): Promise<unknown> {
    this.#last = this.#last.then(() => turn());
    return this.#last;
  }
}
