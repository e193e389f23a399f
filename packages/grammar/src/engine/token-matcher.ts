import { RhoneError } from "@rhone/common";
import { addToken, type ClosingTokens, isFilled, type TokenSet } from "./closing-tokens.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import { JsonDepth } from "./json-depth.js";
import type { GrammarMatcher } from "./xgrammar.js";

/** What the library's matcher wraps; `getNextTokenBitmask` answers with a promise, and draws of one step cannot wait for each other. */
interface MatcherHandle {
  /** A vector of 32-bit words in the library's memory, to be deleted after use. */
  GetNextTokenBitmask(size: number): { size(): number; get(index: number): number; delete(): void };
}

/** A grammar at the beginning of a text. */
export interface StartedGrammar {
  readonly matcher: GrammarMatcher;
  /** Bytes of its shortest text. */
  readonly shortest: number;
}

export interface TokenMatcherOptions {
  readonly grammar: StartedGrammar;
  /** Of texts that do not begin with the trigger; undefined: those are free. */
  readonly otherwise: StartedGrammar | undefined;
  readonly vocabulary: GrammarVocabulary;
  readonly closing: ClosingTokens;
  readonly trigger: number | null;
}

/** Tokens of an open array or object: its closing bracket, and what an entry of it may lack. */
const PER_LEVEL = 4;
/** For a string, a number or a key that has begun, and the end token. */
const MARGIN = 8;
/** Where a text of so many bytes is complete (free text behind a space, a digit) there is nothing to be led to. */
const NEXT_TO_NOTHING = 1;

/** waiting: the first token decides. off: it was not the trigger. ended: an end token came. */
type State = "waiting" | "on" | "off" | "ended";

/** Holds one text to its grammar, token by token. Owns memory of the engine until `close`. */
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
   * Rules out every token that the grammar does not let follow; only end tokens stay when the text is complete or leads nowhere.
   * `banned` tokens are ruled out too unless nothing else is left: a complete text ends. When no more than `remaining` tokens are
   * left, about as many as the text needs to be complete, it is led to its end. logits: f32 [size], changed in place.
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

  /** Goes on by a token. Throws STAGE_FAILED when the grammar does not let it follow. */
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
    else throw new RhoneError("STAGE_FAILED", `Token ${token} does not follow in its grammar.`);
  }

  close(): void {
    this.#options.grammar.matcher.dispose();
    this.#options.otherwise?.matcher.dispose();
  }

  #isFree(): boolean {
    return this.#state === "off" || (this.#state === "waiting" && this.#options.otherwise === undefined);
  }

  /** Tokens that lead a text to its end: an estimate, generous for all but schemas that require much within what contains itself. */
  #needed(): number {
    const { shortest } = this.#grammar;
    return shortest <= NEXT_TO_NOTHING ? 0 : shortest + PER_LEVEL * this.#open.depth + MARGIN;
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
