/** Sequences of so many last tokens are looked up, the longer first. */
const LENGTHS = [3, 2] as const;
/** How much the latest acceptance weighs. */
const WEIGHT = 0.2;
const AT_FIRST = 0.5;
const FADING = 0.02;

/**
 * Prompt lookup: proposes that what followed the last few tokens the time before follows again. Nothing is promised: every
 * draft is verified by the model. Source: Saxena, "Prompt Lookup Decoding" (2023).
 */
export class DraftSource {
  readonly #ends = new Map<string, number>();
  #indexed = 0;
  #acceptance = AT_FIRST;

  /** The share of drafts that were right lately, 0 to 1. */
  get acceptance(): number {
    return this.#acceptance;
  }

  /** Up to `most` tokens that may follow `tokens` (i32 [known]); none when its end never came before. */
  propose(tokens: Int32Array, most: number): readonly number[] {
    this.#index(tokens);
    for (const length of LENGTHS) {
      const start = tokens.length < length ? undefined : this.#ends.get(keyOf(tokens, tokens.length, length));
      if (start !== undefined) return continued(tokens, start, most);
    }
    return [];
  }

  /** `accepted` of `proposed` drafts were right. */
  learn(accepted: number, proposed: number): void {
    if (proposed > 0) this.#acceptance += WEIGHT * (accepted / proposed - this.#acceptance);
  }

  /** None of its drafts were used: what was learned fades, so that drafts are tried again some time. */
  rest(): void {
    this.#acceptance += FADING * (AT_FIRST - this.#acceptance);
  }

  /** The end itself is indexed only when something follows it. */
  #index(tokens: Int32Array): void {
    for (let end = this.#indexed + 1; end < tokens.length; end++) {
      for (const length of LENGTHS) if (end >= length) this.#ends.set(keyOf(tokens, end, length), end);
      this.#indexed = end;
    }
  }
}

/** What followed `start`, and, past the end, what is proposed itself: 1 2 1 2 1 goes on 2 1 2 1. */
function continued(tokens: Int32Array, start: number, most: number): readonly number[] {
  const drafts: number[] = [];
  for (let at = start; drafts.length < most; at++) {
    drafts.push((at < tokens.length ? tokens[at] : drafts[at - tokens.length]) ?? 0);
  }
  return drafts;
}

/** Of the `length` tokens before `end`. */
function keyOf(tokens: Int32Array, end: number, length: number): string {
  return tokens.subarray(end - length, end).join();
}
