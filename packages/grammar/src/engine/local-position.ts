import { RhoneError } from "@rhone/common/rhone-error";
import type { TokenSet } from "./closing-tokens.js";
import { type GrammarPosition, notAllowed } from "./grammar-position.js";
import type { GrammarMatcher } from "./xgrammar.js";

/**
 * The handle inside the library's matcher. The matcher's own `getNextTokenBitmask` is async, which a mask that is
 * wanted at once can't wait for.
 */
interface MatcherHandle {
  /** A vector of 32-bit words in the library's memory; the caller deletes it. */
  GetNextTokenBitmask(size: number): { size(): number; get(index: number): number; delete(): void };
}

export interface LocalPositionOptions {
  /** Owned by the position. */
  readonly matcher: GrammarMatcher;
  readonly shortest: number;
  /** Number of logits. */
  readonly size: number;
  /** Where the allowed tokens are written. Default: memory of its own. */
  readonly words?: TokenSet;
}

/** A position that this thread's engine keeps. */
export class LocalPosition implements GrammarPosition {
  readonly shortest: number;
  readonly #matcher: GrammarMatcher;
  readonly #size: number;
  readonly #words: TokenSet;

  constructor({ matcher, shortest, size, words }: LocalPositionOptions) {
    this.shortest = shortest;
    this.#matcher = matcher;
    this.#size = size;
    this.#words = words ?? new Int32Array(Math.ceil(size / 32));
  }

  allowed(): TokenSet {
    const words = this.#words;
    const { handle } = this.#matcher as unknown as { readonly handle: MatcherHandle };
    const vector = handle.GetNextTokenBitmask(this.#size);
    const count = Math.min(vector.size(), words.length);
    for (let i = 0; i < count; i++) words[i] = vector.get(i);
    vector.delete();
    return words;
  }

  accept(tokens: readonly number[]): void {
    for (const token of tokens) if (!this.takes(token)) throw new RhoneError("STAGE_FAILED", notAllowed(token));
  }

  /** Advances by a token; false, without advancing, when it may not follow. */
  takes(token: number): boolean {
    return this.#matcher.acceptToken(token);
  }

  close(): void {
    this.#matcher.dispose();
  }
}
