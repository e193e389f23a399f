import { RhoneError } from "@rhone/common";
import { addToken, type ClosingTokens, isFilled, JsonDepth, type TokenSet } from "./closing-tokens.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import type { GrammarMatcher } from "./xgrammar.js";

/**
 * The handle inside the library's matcher. The matcher's own `getNextTokenBitmask` is async, but a step draws its
 * tokens at once.
 */
interface MatcherHandle {
  /** A vector of 32-bit words in the library's memory; the caller deletes it. */
  GetNextTokenBitmask(size: number): { size(): number; get(index: number): number; delete(): void };
}

/** A grammar with its position in a text. */
export interface StartedGrammar {
  readonly matcher: GrammarMatcher;
  /** Bytes of the grammar's shortest text. */
  readonly shortest: number;
}

export interface TokenMatcherOptions {
  readonly grammar: StartedGrammar;
  /** For texts that do not begin with the trigger; undefined leaves them free. */
  readonly otherwise: StartedGrammar | undefined;
  readonly vocabulary: GrammarVocabulary;
  readonly closing: ClosingTokens;
  readonly trigger: number | null;
}

/** Tokens reserved for each open array or object: its closing bracket and the rest of an unfinished entry. */
const PER_LEVEL = 4;
/** Tokens reserved for an unfinished string, number or key, and for the end token. */
const MARGIN = 8;
/**
 * Grammars whose shortest text has at most this many bytes (a digit; free text after a space) need no leading to an
 * end.
 */
const TRIVIAL_BYTES = 1;

/** "waiting" for the first token, which decides; "off" when it was not the trigger; "ended" after an end token. */
type State = "waiting" | "on" | "off" | "ended";

/** Enforces a grammar on one text, token by token. Owns memory of the engine until `close`. */
export class TokenMatcher {
  readonly #options: TokenMatcherOptions;
  readonly #words: TokenSet;
  readonly #open = new JsonDepth();
  #grammar: StartedGrammar;
  #state: State;

  constructor(options: TokenMatcherOptions) {
    this.#options = options;
    this.#words = new Int32Array(Math.ceil(options.vocabulary.size / 32));
    this.#grammar = options.otherwise ?? options.grammar;
    this.#state = options.trigger === null ? "on" : "waiting";
  }

  /**
   * Sets the logits of tokens that the grammar does not allow next to -Infinity; only end tokens stay once the text is
   * complete or can't be continued. `banned` tokens are masked too, unless nothing else is left. When `remaining`
   * tokens are about as many as a complete text still needs, only those that lead to its end stay. logits: f32 [size],
   * changed in place.
   */
  mask(logits: Float32Array, banned: readonly number[] = [], remaining = Number.POSITIVE_INFINITY): void {
    if (this.#isFree()) {
      for (const token of banned) logits[token] = Number.NEGATIVE_INFINITY;
      return;
    }
    const words = this.#allowed();
    const kept = words.slice();
    for (const token of banned) kept[token >> 5] = (kept[token >> 5] ?? 0) & ~(1 << (token & 31));
    const open = isFilled(kept) ? kept : words;
    const chosen = remaining <= this.#needed() ? this.#options.closing.among(open, this.#open) : open;
    for (let token = 0; token < logits.length; token++) {
      if ((((chosen[token >> 5] ?? 0) >>> (token & 31)) & 1) === 0) logits[token] = Number.NEGATIVE_INFINITY;
    }
  }

  /** Advances by a token. Throws STAGE_FAILED when the grammar does not allow it. */
  accept(token: number): void {
    const { grammar, otherwise, trigger, vocabulary } = this.#options;
    if (this.#state === "waiting") {
      this.#state = token === trigger || otherwise !== undefined ? "on" : "off";
      if (token === trigger) {
        this.#grammar = grammar;
        return;
      }
    }
    if (this.#state !== "on") return;
    if (vocabulary.endTokens.includes(token)) this.#state = "ended";
    else if (this.#grammar.matcher.acceptToken(token)) this.#open.add(vocabulary.pieces[token] ?? new Uint8Array());
    else throw new RhoneError("STAGE_FAILED", `The grammar does not allow token ${token} here.`);
  }

  close(): void {
    this.#options.grammar.matcher.dispose();
    this.#options.otherwise?.matcher.dispose();
  }

  #isFree(): boolean {
    return this.#state === "off" || (this.#state === "waiting" && this.#options.otherwise === undefined);
  }

  /**
   * Estimated tokens to the end of the text; too few only for schemas that require much within a part that contains
   * itself.
   */
  #needed(): number {
    const { shortest } = this.#grammar;
    return shortest <= TRIVIAL_BYTES ? 0 : shortest + PER_LEVEL * this.#open.depth + MARGIN;
  }

  #allowed(): TokenSet {
    const { trigger, vocabulary } = this.#options;
    const words = this.#words.fill(0);
    if (this.#state !== "ended") {
      const { handle } = this.#grammar.matcher as unknown as { readonly handle: MatcherHandle };
      const vector = handle.GetNextTokenBitmask(vocabulary.size);
      const count = Math.min(vector.size(), words.length);
      for (let i = 0; i < count; i++) words[i] = vector.get(i);
      vector.delete();
    }
    if (!isFilled(words)) for (const token of vocabulary.endTokens) addToken(words, token);
    if (this.#state === "waiting" && trigger !== null) addToken(words, trigger);
    return words;
  }
}
