import { TokenCounts } from "./token-counts.js";

export interface PenaltyOptions {
  /** Divides positive and multiplies negative logits of tokens in prompt or output; 1 has no effect. */
  readonly repetitionPenalty?: number;
  /** Subtracted from a token's logit per occurrence in the output; 0 has no effect. */
  readonly frequencyPenalty?: number;
  /** Subtracted once from the logits of tokens in the output; 0 has no effect. */
  readonly presencePenalty?: number;
}

/** Penalties with the tokens that they are for, as vLLM defines them. */
export interface PenaltyEdits {
  readonly repetition: number;
  readonly frequency: number;
  readonly presence: number;
  /** i32: tokens of prompt or output; empty without a repetition penalty. */
  readonly seen: Int32Array;
  /** i32: tokens of the output; empty without the other penalties. */
  readonly generated: Int32Array;
  /** i32: how often each of `generated` occurs. */
  readonly counts: Int32Array;
}

/** Counts a sequence's tokens. */
export class Penalties {
  readonly #repetition: number;
  readonly #frequency: number;
  readonly #presence: number;
  readonly #seen = new TokenCounts();
  readonly #generated = new TokenCounts();

  constructor({ repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 }: PenaltyOptions) {
    this.#repetition = repetitionPenalty;
    this.#frequency = frequencyPenalty;
    this.#presence = presencePenalty;
  }

  acceptPrompt(token: number): void {
    if (this.#repetition !== 1) this.#seen.add(token);
  }

  accept(token: number): void {
    this.acceptPrompt(token);
    if (this.#lowersGenerated) this.#generated.add(token);
  }

  /** Borrowed until the next token is accepted. */
  get edits(): PenaltyEdits {
    const [repetition, frequency, presence] = [this.#repetition, this.#frequency, this.#presence];
    const { tokens: generated, counts } = this.#generated;
    return { repetition, frequency, presence, seen: this.#seen.tokens, generated, counts };
  }

  get #lowersGenerated(): boolean {
    return this.#frequency !== 0 || this.#presence !== 0;
  }
}

/** Changes `logits` in place. */
export function penalize(logits: Float32Array, edits: PenaltyEdits): void {
  const { repetition, frequency, presence, seen, generated, counts } = edits;
  for (const token of seen) {
    const logit = logits[token];
    if (logit !== undefined) logits[token] = logit > 0 ? logit / repetition : logit * repetition;
  }
  for (const [i, token] of generated.entries()) {
    const logit = logits[token];
    if (logit !== undefined) logits[token] = logit - frequency * (counts[i] ?? 0) - presence;
  }
}
