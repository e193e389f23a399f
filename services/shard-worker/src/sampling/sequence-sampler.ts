import { RhoneError } from "@rhone/common";
import { type RowReading, type RowRequest, Sampler } from "@rhone/ggml";
import type { TokenMatcher } from "@rhone/grammar";
import type { Sampling, SequenceOpen, TokenScore } from "../wire/step.js";

/** Says how one sequence's tokens are drawn on the last stage. Owns the sequence's matcher until `close`. */
export class SequenceSampler {
  readonly #sampler: Sampler;
  readonly #sampling: Sampling;
  readonly #matcher: TokenMatcher | null;
  /** Position of the last token that may be generated. */
  readonly #lastPosition: number;

  /** `matcher` has accepted the tokens that were generated before; null for a sequence without constraint. */
  constructor({ sampling, history, generated, constraint }: SequenceOpen, matcher: TokenMatcher | null) {
    this.#sampling = sampling;
    this.#matcher = matcher;
    this.#lastPosition = constraint?.lastPosition ?? Number.POSITIVE_INFINITY;
    this.#sampler = new Sampler({ ...sampling, promptTokens: history, generatedTokens: generated });
  }

  /**
   * How to draw the token after `position`, from its row of logits. Make it once the token before is accepted. Throws
   * what the grammar's mask throws.
   */
  request(position: number): Pick<RowRequest, "draw" | "alternatives"> {
    const { logprobs, banned: ends, minPosition, seed } = this.#sampling;
    const banned = position < minPosition ? ends : [];
    const allowed = this.#matcher?.allowed(banned, this.#lastPosition - position);
    const only = allowed === undefined ? { banned: Int32Array.from(banned) } : { allowed };
    return { draw: this.#sampler.request({ seed, position: position + 1 }, only), alternatives: logprobs ?? undefined };
  }

  /** Takes the token that was drawn after `position`. Throws GGML_FAILED when none could be. */
  accept({ token, logprob, top }: RowReading, position: number): TokenScore {
    if (token < 0) {
      const message = `No token can be drawn at position ${position + 1}: no logit is a finite number.`;
      throw new RhoneError("GGML_FAILED", message);
    }
    this.#sampler.accept(token);
    this.#matcher?.accept(token);
    const { logprobs } = this.#sampling;
    return logprobs === null ? { token, logprob: null, top: [] } : { token, logprob, top: pairsOf(top, logprobs) };
  }

  close(): void {
    this.#matcher?.close();
  }
}

/** The first `count` alternatives as results carry them. */
export const pairsOf = (top: RowReading["top"], count: number): TokenScore["top"] =>
  top.slice(0, count).map(({ id, logprob }) => [id, logprob]);
