import { RhoneError } from "@rhone/common";
import { isSmall } from "./job-line.js";

/** Bounds the bytes of this gateway's unfinished jobs, here and in Redis. Small ones are bounded by number. */
export class HeldBytes {
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Holds a job's bytes until the function that it returns is called. Throws QUEUE_FULL. */
  hold(bytes: number): () => void {
    if (isSmall(bytes)) return () => {};
    if (this.#held + bytes > this.#most) throw this.#full(bytes);
    this.#held += bytes;
    return () => {
      this.#held -= bytes;
    };
  }

  #full(bytes: number): RhoneError {
    const held = `Unfinished requests hold ${this.#held} bytes of long prompts, biases, stop texts and grammars`;
    return new RhoneError(
      "QUEUE_FULL",
      `${held}, and ${this.#most} are the most; one of ${bytes} bytes has to wait, try again shortly.`,
    );
  }
}
