import { RhoneError } from "@rhone/common";

/** The mean of a prompt's hidden states, gathered span by span as the stages compute them. */
export class PromptEmbedding {
  #sum = new Float64Array();
  #rows = 0;

  /**
   * `sum`, f32 [dim], adds up the hidden states of `count` positions from `position` on. Spans come in order; one at
   * position 0 starts the sum again, because a sequence that was evicted or lost its pipeline is computed a second
   * time, in whatever spans. Throws STAGE_FAILED for a span that does not follow.
   */
  add({ position, count }: { readonly position: number; readonly count: number }, sum: Float32Array): void {
    if (position === 0) {
      this.#sum = new Float64Array(sum.length);
      this.#rows = 0;
    }
    if (position !== this.#rows || sum.length !== this.#sum.length) {
      const expected = `position ${this.#rows} and ${this.#sum.length} values`;
      const message = `A pooled span begins at position ${position} with ${sum.length} values; expected ${expected}.`;
      throw new RhoneError("STAGE_FAILED", message);
    }
    this.#sum = this.#sum.map((total, i) => total + (sum[i] ?? 0));
    this.#rows += count;
  }

  /**
   * The mean at length 1 (L2), f32 little-endian [dim]; zero stays zero. Its direction is the sum's: nothing need be
   * divided by the rows.
   */
  toBase64(): string {
    const length = Math.sqrt(this.#sum.reduce((total, value) => total + value * value, 0));
    const unit = Float32Array.from(this.#sum, (value) => (length === 0 ? 0 : value / length));
    return Buffer.from(unit.buffer).toString("base64");
  }
}
