import { type Engine, logSoftmaxOf, logSumExp, SamplerChain, topLogprobs } from "@rhone/ggml";
import type { TokenMatcher } from "@rhone/grammar";
import type { rhone } from "@rhone/proto";

type Open = rhone.v1.SequenceOpen.$Properties;
type TokenScore = rhone.v1.TokenScore.$Properties;

/**
 * Draws one sequence's tokens on the last stage, and accounts for what it drew. Owns a sampler chain, and the matcher of a
 * constrained sequence, until `close`.
 */
export class SequenceSampler {
  readonly #chain: SamplerChain;
  readonly #sampling: rhone.v1.Sampling.$Properties;
  readonly #matcher: TokenMatcher | undefined;
  /** Of the last token that may be generated. */
  readonly #lastPosition: number;

  /** `matcher` stands behind the tokens that were generated before. */
  constructor(
    engine: Engine,
    nVocab: number,
    { open, matcher }: { readonly open: Open; readonly matcher?: TokenMatcher | undefined },
  ) {
    const sampling = open.sampling ?? {};
    this.#sampling = sampling;
    this.#matcher = matcher;
    this.#lastPosition = open.constraint?.lastPosition ?? Number.POSITIVE_INFINITY;
    const biases = sampling.biasValues ?? [];
    this.#chain = SamplerChain.open(engine, {
      nVocab,
      temperature: sampling.temperature ?? 0,
      topK: sampling.topK ?? 0,
      topP: sampling.topP ?? 1,
      minP: sampling.minP ?? 0,
      repetitionPenalty: sampling.repetitionPenalty ?? 1,
      frequencyPenalty: sampling.frequencyPenalty ?? 0,
      presencePenalty: sampling.presencePenalty ?? 0,
      logitBias: new Map((sampling.biasTokens ?? []).map((token, i) => [token, biases[i] ?? 0])),
      promptTokens: readTokens(open.history),
      generatedTokens: readTokens(open.generated),
    });
  }

  /** Draws the token after `position`. logits: f32 [nVocab], borrowed; tokens that may not follow are overwritten in it. */
  draw(logits: Float32Array, position: number): TokenScore {
    const { logprobs = false, bannedUntilMin } = this.#sampling;
    const seed = this.#sampling.seed ?? 0;
    const minPosition = this.#sampling.minPosition ?? 0;
    const alternatives = this.#sampling.topLogprobs ?? 0;
    const banned = position < minPosition ? (bannedUntilMin ?? []) : [];
    const unmodified = logprobs && (banned.length > 0 || this.#matcher !== undefined) ? logits.slice() : logits;
    if (this.#matcher === undefined) for (const token of banned) logits[token] = Number.NEGATIVE_INFINITY;
    else this.#matcher.mask(logits, banned, this.#lastPosition - position);
    const token = this.#chain.sample(logits, { seed, position: position + 1 });
    this.#chain.accept(token);
    this.#matcher?.accept(token);
    return logprobs ? scoreOf(unmodified, token, alternatives) : { token };
  }

  close(): void {
    this.#chain.close();
    this.#matcher?.close();
  }
}

/** log P(token) under the softmax of logits (f32 [nVocab]), with the best `alternatives`. */
export function scoreOf(logits: Float32Array, token: number, alternatives: number): TokenScore {
  const normalizer = logSumExp(logits);
  const best = alternatives > 0 ? topLogprobs(logits, alternatives, normalizer) : [];
  return {
    token,
    logprob: logSoftmaxOf(logits, token, normalizer),
    topTokens: best.map(({ id }) => id),
    topLogprobs: best.map(({ logprob }) => logprob),
  };
}

/** int32 little-endian token ids, copied. */
export function readTokens(bytes: Uint8Array | null | undefined): Int32Array {
  return bytes == null ? new Int32Array() : new Int32Array(new Uint8Array(bytes).buffer);
}
