import { setMaxListeners } from "node:events";
import { ownTurn } from "../turns.js";

/** Choices that end in one turn of the event loop. */
const SLICE = 64;

/**
 * The signals that end the choices of a run, one for each 64 of them. Later choices' signals are aborted in later turns
 * of the event loop: a request may have 2,048 choices, which took 0.1 s of processor time to end in one. A signal has
 * few listeners, as Node compares each that is added or removed with all of them.
 */
export class RunSignals {
  readonly #slices: AbortController[] = [];
  #end: { readonly reason: unknown } | undefined;

  /** To be asked for the choices in their order. */
  of(choice: number): AbortSignal {
    const at = Math.floor(choice / SLICE);
    const slice = this.#slices[at] ?? this.#open();
    return slice.signal;
  }

  /** Ends the first choices at once, the others soon. Only the first call counts. */
  abort(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { reason };
    void this.#abortAll(reason);
  }

  #open(): AbortController {
    const slice = new AbortController();
    // Each of its choices listens; Node suspects a leak above ten.
    setMaxListeners(0, slice.signal);
    if (this.#end !== undefined) slice.abort(this.#end.reason);
    this.#slices.push(slice);
    return slice;
  }

  async #abortAll(reason: unknown): Promise<void> {
    for (const slice of this.#slices) {
      slice.abort(reason);
      await ownTurn("end");
    }
  }
}
