import type { GrammarVocabulary } from "./grammar-vocabulary.js";

/** One bit per token. */
export type TokenSet = Int32Array;

export const isFilled = (set: TokenSet): boolean => set.some((word) => word !== 0);

export function addToken(set: TokenSet, token: number): void {
  set[token >> 5] = (set[token >> 5] ?? 0) | (1 << (token & 31));
}

/** Characters that bring a text closer to its end, best first: closing brackets, then the separator. */
const CLOSING = ["]", "}", ","];
/** Characters that lead away from the end. */
const LEADING_AWAY = new Set(["{", "[", " ", "\t", "\n", "\\"].map((character) => character.charCodeAt(0)));

/** Sorts a vocabulary's tokens by what they do to a JSON text that must end soon. */
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

  /** The subset of `allowed` that leads to the end soonest; never empty unless `allowed` is. */
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

const [QUOTE, ESCAPE] = [0x22, 0x5c];
const OPENING_BRACKETS = new Set([0x5b, 0x7b]);
const CLOSING_BRACKETS = new Set([0x5d, 0x7d]);

/** Counts the open arrays and objects of a JSON text, byte by byte. For any other text the count means nothing. */
export class JsonDepth {
  #depth = 0;
  #state: "plain" | "string" | "escaped" = "plain";

  get depth(): number {
    return this.#depth;
  }

  /** Whether the next byte belongs to a string or ends one. */
  get isInString(): boolean {
    return this.#state !== "plain";
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) this.#step(byte);
  }

  #step(byte: number): void {
    if (this.#state === "escaped") this.#state = "string";
    else if (this.#state === "string" && byte === ESCAPE) this.#state = "escaped";
    else if (byte === QUOTE) this.#state = this.#state === "string" ? "plain" : "string";
    else if (this.#state === "plain" && OPENING_BRACKETS.has(byte)) this.#depth++;
    else if (this.#state === "plain" && CLOSING_BRACKETS.has(byte)) this.#depth = Math.max(0, this.#depth - 1);
  }
}
