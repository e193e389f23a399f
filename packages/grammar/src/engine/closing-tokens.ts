import type { GrammarVocabulary } from "./grammar-vocabulary.js";

/** One bit per token. */
export type TokenSet = Int32Array;

/** What a text that must end soon goes on with, the first that may follow: what closes, then what separates. */
const CLOSING = ["]", "}", ","];
/** What leads away from the end. */
const LEADING_AWAY = new Set(["{", "[", " ", "\t", "\n", "\\"].map((character) => character.charCodeAt(0)));

/** Tokens by what they do to a JSON text that has to be finished. */
export class ClosingTokens {
  readonly #end: TokenSet;
  readonly #quote: TokenSet;
  readonly #closing: readonly TokenSet[];
  readonly #leadingAway: TokenSet;

  constructor({ size, pieces, endTokens }: GrammarVocabulary) {
    const setOf = (fits: (piece: Uint8Array, token: number) => boolean): TokenSet => {
      const set = new Int32Array(Math.ceil(size / 32));
      for (const [token, piece] of pieces.entries()) if (fits(piece, token)) addToken(set, token);
      return set;
    };
    const ends = new Set(endTokens);
    const exactly = (text: string) => setOf((piece) => piece.length === 1 && piece[0] === text.charCodeAt(0));
    this.#end = setOf((_, token) => ends.has(token));
    this.#quote = exactly('"');
    this.#closing = CLOSING.map(exactly);
    this.#leadingAway = setOf((piece) => LEADING_AWAY.has(piece[0] ?? 0));
  }

  /** Of the tokens that may follow, those that lead to the end soonest. None are added, and some stay. */
  among(allowed: TokenSet, { isInString }: { readonly isInString: boolean }): TokenSet {
    const wanted = isInString ? [this.#end, this.#quote] : [this.#end, ...this.#closing, this.#quote];
    for (const set of wanted) {
      const both = allowed.map((word, i) => word & (set[i] ?? 0));
      if (isFilled(both)) return both;
    }
    const rest = allowed.map((word, i) => word & ~(this.#leadingAway[i] ?? 0));
    return isFilled(rest) ? rest : allowed;
  }
}

export const isFilled = (set: TokenSet): boolean => set.some((word) => word !== 0);

export function addToken(set: TokenSet, token: number): void {
  set[token >> 5] = (set[token >> 5] ?? 0) | (1 << (token & 31));
}
