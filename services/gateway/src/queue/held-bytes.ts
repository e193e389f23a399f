import { RhoneError } from "@rhone/common";
import { Counts } from "../counts.js";
import { isSmall } from "../redis-line.js";

/**
 * Bounds the bytes of this gateway's unfinished jobs, here and in Redis. Small ones are bounded by number. An API key
 * has no more of them than it leaves free, so that no key's long prompts keep another from its first.
 */
export class HeldBytes {
  readonly #most: number;
  readonly #ofKey = new Counts();
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Holds a job's bytes until the function that it returns is called. `keyId` "": anonymous. Throws QUEUE_FULL. */
  hold(bytes: number, keyId: string): () => void {
    if (isSmall(bytes)) return () => {};
    this.#check(bytes, keyId);
    this.#count(bytes, keyId);
    return () => this.#count(-bytes, keyId);
  }

  #check(bytes: number, keyId: string): void {
    const free = this.#most - this.#held;
    const own = keyId === "" ? 0 : this.#ofKey.of(keyId);
    if (bytes <= free && (own === 0 || own + bytes <= free)) return;
    const held = `Unfinished requests hold ${this.#held} bytes of long prompts, biases, stop texts and grammars`;
    const share = `, ${own} of them this API key, which may hold no more than it leaves free`;
    throw new RhoneError(
      "QUEUE_FULL",
      `${held}${bytes <= free ? share : ""}, and ${this.#most} are the most (--queued-bytes); ` +
        `one of ${bytes} bytes has to wait, try again shortly.`,
    );
  }

  #count(bytes: number, keyId: string): void {
    this.#held += bytes;
    this.#ofKey.add(keyId, bytes);
  }
}
