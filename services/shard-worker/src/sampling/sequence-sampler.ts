import { type Engine, logSoftmaxOf, logSumExp, SamplerChain, topLogprobs } from "@rhone/ggml";
import type { TokenMatcher } from "@rhone/grammar";
import type { Sampling, SequenceOpen, TokenScore } from "../wire/step.js";

/** Draws one sequence's tokens on the last stage. Owns a sampler chain and the sequence's matcher until `close`. */
export class SequenceSampler {
  readonly #chain: SamplerChain;
  readonly #sampling: Sampling;
  readonly #matcher: TokenMatcher | null;
  /** Position of the last token that may be generated. */
  readonly #lastPosition: number;

  /** `matcher` has accepted the tokens that were generated before; null for a sequence without constraint. */
  constructor(
    engine: Engine,
    nVocab: number,
    { open, matcher }: { readonly open: SequenceOpen; readonly matcher: TokenMatcher | null },
  ) {
    const { sampling, history, generated, constraint } = open;
    this.#sampling = sampling;
    this.#matcher = matcher;
    this.#lastPosition = constraint?.lastPosition ?? Number.POSITIVE_INFINITY;
    this.#chain = SamplerChain.open(engine, {
      ...sampling,
      nVocab,
      promptTokens: history,
      generatedTokens: generated,
    });
  }

  /**
   * Draws the token after `position`. logits: f32 [nVocab], borrowed; the logits of tokens that may not follow are
   * overwritten.
   */
  draw(logits: Float32Array, position: number): TokenScore {
    const { logprobs, banned: ends, minPosition, seed } = this.#sampling;
    const banned = position < minPosition ? ends : [];
    const masked = banned.length > 0 || this.#matcher !== null;
    const unmodified = logprobs !== null && masked ? logits.slice() : logits;
    if (this.#matcher === null) for (const token of banned) logits[token] = Number.NEGATIVE_INFINITY;
    else this.#matcher.mask(logits, banned, this.#lastPosition - position);
    const token = this.#chain.sample(logits, { seed, position: position + 1 });
    this.#chain.accept(token);
    this.#matcher?.accept(token);
    return logprobs === null ? { token, logprob: null, top: [] } : scoreOf(unmodified, token, logprobs);
  }

  close(): void {
    this.#chain.close();
    this.#matcher?.close();
  }
}

/** log P(token) under the softmax of logits (f32 [nVocab]), with the `alternatives` most probable tokens. */
export function scoreOf(logits: Float32Array, token: number, alternatives: number): TokenScore {
  const normalizer = logSumExp(logits);
  const best = alternatives > 0 ? topLogprobs(logits, alternatives, normalizer) : [];
  return {
    token,
    logprob: logSoftmaxOf(logits, token, normalizer),
    top: best.map(({ id, logprob }) => [id, logprob]),
  };
}
