import { RhoneError } from "@rhone/common/rhone-error";
import { type Ahead, newAhead } from "./ahead.js";
import type { EndFinder } from "./end-finder.js";
import { type GrammarPosition, notAllowed } from "./grammar-position.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import type { TokenSet } from "./leading-tokens.js";
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
  /** At the beginning of the text; undefined for a grammar whose texts are not followed. */
  readonly finder: () => EndFinder | undefined;
  readonly vocabulary: GrammarVocabulary;
  /** Where the allowed tokens are written. Default: memory of its own. */
  readonly words?: TokenSet;
}

/** A position that this thread's engine keeps. */
export class LocalPosition implements GrammarPosition {
  readonly #matcher: GrammarMatcher;
  readonly #vocabulary: GrammarVocabulary;
  readonly #words: TokenSet;
  readonly #openFinder: () => EndFinder | undefined;
  /** Present once it was asked for. */
  #finder: { readonly of: EndFinder | undefined } | undefined;
  /** The tokens that the finder has not read yet. */
  #unread: number[] = [];

  constructor({ matcher, finder, vocabulary, words }: LocalPositionOptions) {
    this.#matcher = matcher;
    this.#vocabulary = vocabulary;
    this.#openFinder = finder;
    this.#words = words ?? new Int32Array(Math.ceil(vocabulary.size / 32));
  }

  allowed(): TokenSet {
    const words = this.#words;
    const { handle } = this.#matcher as unknown as { readonly handle: MatcherHandle };
    const vector = handle.GetNextTokenBitmask(this.#vocabulary.size);
    const count = Math.min(vector.size(), words.length);
    for (let i = 0; i < count; i++) words[i] = vector.get(i);
    vector.delete();
    return words;
  }

  /** Follows the text from its beginning when it is first asked for. */
  ahead(): Ahead {
    this.#finder ??= { of: this.#openFinder() };
    const { of: finder } = this.#finder;
    for (const token of this.#unread.splice(0)) finder?.read(this.#vocabulary.pieces[token] ?? new Uint8Array());
    return finder?.ahead ?? newAhead();
  }

  accept(tokens: readonly number[]): void {
    for (const token of tokens) if (!this.takes(token)) throw new RhoneError("STAGE_FAILED", notAllowed(token));
  }

  /** Advances by a token; false, without advancing, when it may not follow. */
  takes(token: number): boolean {
    const isTaken = this.#matcher.acceptToken(token);
    if (isTaken) this.#unread.push(token);
    return isTaken;
  }

  close(): void {
    this.#matcher.dispose();
  }
}
