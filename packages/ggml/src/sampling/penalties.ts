export interface PenaltyOptions {
  /** Divides positive and multiplies negative logits of tokens in prompt or output; 1 has no effect. */
  readonly repetitionPenalty?: number;
  /** Subtracted from a token's logit per occurrence in the output; 0 has no effect. */
  readonly frequencyPenalty?: number;
  /** Subtracted once from the logits of tokens in the output; 0 has no effect. */
  readonly presencePenalty?: number;
}

/** Counts a sequence's tokens and lowers their logits as vLLM does. */
export class Penalties {
  readonly #repetition: number;
  readonly #frequency: number;
  readonly #presence: number;
  readonly #seen = new Set<number>();
  readonly #generated = new Map<number, number>();

  constructor({ repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 }: PenaltyOptions) {
    this.#repetition = repetitionPenalty;
    this.#frequency = frequencyPenalty;
    this.#presence = presencePenalty;
  }

  get active(): boolean {
    return this.#repetition !== 1 || this.#frequency !== 0 || this.#presence !== 0;
  }

  acceptPrompt(token: number): void {
    this.#seen.add(token);
  }

  accept(token: number): void {
    this.#seen.add(token);
    this.#generated.set(token, (this.#generated.get(token) ?? 0) + 1);
  }

  /** Changes `logits` in place. */
  apply(logits: Float32Array): void {
    if (this.#repetition !== 1) {
      for (const token of this.#seen) {
        const logit = logits[token];
        if (logit !== undefined) logits[token] = logit > 0 ? logit / this.#repetition : logit * this.#repetition;
      }
    }
    if (this.#frequency === 0 && this.#presence === 0) return;
    for (const [token, count] of this.#generated) {
      const logit = logits[token];
      if (logit !== undefined) logits[token] = logit - this.#frequency * count - this.#presence;
    }
  }
}
