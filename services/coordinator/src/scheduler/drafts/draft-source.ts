import { TUNING } from "../budget/tuning.js";

/** The last three tokens are looked up, then the last two. */
const LENGTHS = [3, 2] as const;
/** Tokens of a text that are indexed in one step: 16 new prompts of 32,000 tokens would hold it up for a second. */
const MOST_INDEXED = 2048;
const KEY_BASE = 2 ** 17;

/**
 * Prompt lookup for one sequence: the tokens that followed the last few tokens before are proposed again. They need not
 * be right, because the model verifies every draft. Source: Saxena, "Prompt Lookup Decoding" (2023).
 */
export class DraftSource {
  /** Where each run of two or three tokens ended last, by its tokens. */
  readonly #ends = new Map<number, number>();
  #indexed = 0;
  #acceptance: number = TUNING.draftAcceptance;

  /** The recent share of right drafts, 0 to 1. */
  get acceptance(): number {
    return this.#acceptance;
  }

  /** Up to `most` tokens that may follow `tokens` (i32 [length]); none when its last tokens did not occur before. */
  propose(tokens: Int32Array, most: number): readonly number[] {
    this.#index(tokens);
    for (const length of LENGTHS) {
      const start = tokens.length < length ? undefined : this.#ends.get(keyOf(tokens, tokens.length, length));
      if (start !== undefined) return continuation(tokens, start, most);
    }
    return [];
  }

  /** `accepted` of `proposed` drafts were right. */
  learn(accepted: number, proposed: number): void {
    if (proposed > 0) this.#acceptance += TUNING.draftWeight * (accepted / proposed - this.#acceptance);
  }

  /** No draft was used in a step: the share returns slowly to its start, so that drafts are tried again. */
  fade(): void {
    this.#acceptance += TUNING.draftFading * (TUNING.draftAcceptance - this.#acceptance);
  }

  /** Indexes each run once a token follows it; so never the end of `tokens`. Of a long text MOST_INDEXED at a time. */
  #index(tokens: Int32Array): void {
    const until = Math.min(tokens.length, this.#indexed + 1 + MOST_INDEXED);
    for (let end = this.#indexed + 1; end < until; end++) {
      for (const length of LENGTHS) if (end >= length) this.#ends.set(keyOf(tokens, end, length), end);
      this.#indexed = end;
    }
  }
}

/** The tokens from `start` on, and past the end the proposal itself: 1 2 1 2 1 continues with 2 1 2 1. */
function continuation(tokens: Int32Array, start: number, most: number): readonly number[] {
  const drafts: number[] = [];
  for (let at = start; drafts.length < most; at++) {
    drafts.push((at < tokens.length ? tokens[at] : drafts[at - tokens.length]) ?? 0);
  }
  return drafts;
}

/**
 * The `length` tokens before `end`, as a key. Different runs of a vocabulary above 2^17 may share one, which costs a
 * wrong draft.
 */
function keyOf(tokens: Int32Array, end: number, length: number): number {
  let key = length;
  for (let at = end - length; at < end; at++) key = key * KEY_BASE + (tokens[at] ?? 0);
  return key;
}
