import { type AheadParts, NEVER } from "./ahead.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";

/** One bit per token. */
export type TokenSet = Int32Array;

export const isFilled = (set: TokenSet): boolean => set.some((word) => word !== 0);

export function addToken(set: TokenSet, token: number): void {
  set[token >> 5] = (set[token >> 5] ?? 0) | (1 << (token & 31));
}

/** Tokens that are kept for the rest of a token that has led away from the end, and for the end token. */
const MARGIN = 8;
/** Most further tokens that are kept for it: more would shorten answers that never take such a way. */
const MOST_RISK = 16;

/** Chooses among a vocabulary's tokens those that let a text end in time. */
export class LeadingTokens {
  readonly #pieces: readonly Uint8Array[];
  readonly #ends: ReadonlySet<number>;

  constructor({ pieces, endTokens }: GrammarVocabulary) {
    this.#pieces = pieces;
    this.#ends = new Set(endTokens);
  }

  /**
   * The subset of `allowed` that lets the text end within `remaining` tokens, each of which adds a byte or more; never
   * empty unless `allowed` is. Where few are left, the tokens that remain lead to the end by the shortest way, or by
   * one that no byte makes longer, such as the letters of a pattern.
   */
  among(allowed: TokenSet, { owed, risk, near, calm, path }: AheadParts, remaining: number): TokenSet {
    // The end token takes one, unless the text is complete with this one.
    const most = Math.max(1, remaining - 1);
    const isOnPath = (piece: Uint8Array) =>
      piece.length <= path.length && piece.every((byte, place) => byte === path[place]);
    /** Whatever the token is, no byte behind its first leads away from the end. */
    const isCalm = (first: number) => (calm[first] ?? NEVER) < NEVER;
    const endsInTime = (piece: Uint8Array, first: number) =>
      (isCalm(first) && ((piece.length === 1 ? near : calm)[first] ?? NEVER) <= most) || isOnPath(piece);
    const isNearest = (piece: Uint8Array, first: number) => near[first] === owed && piece.length === 1;
    if (risk > 0 && remaining <= owed + Math.min(risk, MOST_RISK) + MARGIN) {
      const leads = (piece: Uint8Array, first: number) => endsInTime(piece, first) || isNearest(piece, first);
      return this.#filled(allowed, [leads, (_, first) => near[first] === owed]);
    }
    const isFar = (rest: number) => rest > most && rest < NEVER;
    if (!near.some(isFar) && !calm.some(isFar)) return allowed;
    const mayEnd = (piece: Uint8Array, first: number) =>
      isCalm(first) ? endsInTime(piece, first) : (near[first] ?? NEVER) <= most;
    return this.#filled(allowed, [mayEnd, isNearest, (_, first) => near[first] === owed]);
  }

  /** The tokens of `allowed` that pass the first of the tests that any passes, and all end tokens. */
  #filled(allowed: TokenSet, tests: readonly ((piece: Uint8Array, first: number) => boolean)[]): TokenSet {
    for (const test of tests) {
      const set = new Int32Array(allowed.length);
      for (const token of tokensOf(allowed)) {
        const piece = this.#pieces[token];
        const first = piece?.[0];
        const passes = piece !== undefined && first !== undefined && test(piece, first);
        if (passes || this.#ends.has(token)) addToken(set, token);
      }
      if (isFilled(set)) return set;
    }
    return allowed;
  }
}

function* tokensOf(set: TokenSet): Generator<number, void> {
  for (const [index, word] of set.entries()) {
    for (let left = word; left !== 0; left &= left - 1) yield 32 * index + 31 - Math.clz32(left & -left);
  }
}
