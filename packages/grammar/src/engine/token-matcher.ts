import { readAhead } from "./ahead.js";
import type { GrammarPosition } from "./grammar-position.js";
import type { GrammarVocabulary } from "./grammar-vocabulary.js";
import { addToken, isFilled, type LeadingTokens, type TokenSet } from "./leading-tokens.js";

export interface TokenMatcherOptions {
  /** Both grammars are owned by the matcher. */
  readonly grammar: GrammarPosition;
  /** For texts that do not begin with the trigger; undefined leaves them free. */
  readonly otherwise: GrammarPosition | undefined;
  readonly vocabulary: GrammarVocabulary;
  readonly leading: LeadingTokens;
  readonly trigger: number | null;
}

/** "waiting" for the first token, which decides; "off" when it was not the trigger; "ended" after an end token. */
type State = "waiting" | "on" | "off" | "ended";

/** Enforces a grammar on one text, token by token. Owns memory of the engine until `close`. */
export class TokenMatcher {
  readonly #options: TokenMatcherOptions;
  readonly #held: Set<GrammarPosition>;
  #grammar: GrammarPosition;
  #state: State;

  constructor(options: TokenMatcherOptions) {
    this.#options = options;
    this.#held = new Set([options.grammar, ...(options.otherwise === undefined ? [] : [options.otherwise])]);
    this.#grammar = options.otherwise ?? options.grammar;
    this.#state = options.trigger === null ? "on" : "waiting";
  }

  /**
   * The tokens that may come next; undefined when any may. Only end tokens once the text is complete or can't be
   * continued. `banned` tokens are left out, unless no others are left. When `remaining` tokens are about as many as a
   * complete text still needs, only tokens that lead to its end. Throws what the grammar's `allowed` throws.
   */
  allowed(banned: readonly number[] = [], remaining = Number.POSITIVE_INFINITY): TokenSet | undefined {
    if (this.#isFree()) return undefined;
    const words = this.#next();
    const kept = words.slice();
    for (const token of banned) kept[token >> 5] = (kept[token >> 5] ?? 0) & ~(1 << (token & 31));
    const open = isFilled(kept) ? kept : words;
    if (this.#state === "ended" || !Number.isFinite(remaining)) return open;
    const ahead = readAhead(this.#grammar.ahead());
    if (ahead === undefined) return open;
    const { leading, trigger } = this.#options;
    const led = leading.among(open, ahead, remaining);
    if (this.#state === "waiting" && trigger !== null && led !== open) addToken(led, trigger);
    return led;
  }

  /** Sets the logits of tokens that `allowed` lacks, or that are banned, to -Infinity. logits: f32 [size], in place. */
  mask(logits: Float32Array, banned: readonly number[] = [], remaining = Number.POSITIVE_INFINITY): void {
    const words = this.allowed(banned, remaining);
    if (words === undefined) {
      for (const token of banned) logits[token] = Number.NEGATIVE_INFINITY;
      return;
    }
    for (let token = 0; token < logits.length; token++) {
      if ((((words[token >> 5] ?? 0) >>> (token & 31)) & 1) === 0) logits[token] = Number.NEGATIVE_INFINITY;
    }
  }

  /** Advances by a token. Throws STAGE_FAILED, now or at the next mask, when the grammar does not allow it. */
  accept(token: number): void {
    this.acceptAll([token]);
  }

  /** Advances by the tokens of a text that goes on, which costs one mask and not one per token. Throws as `accept`. */
  acceptAll(tokens: readonly number[]): void {
    const rest = this.#state === "waiting" && tokens.length > 0 ? this.#decide(tokens) : tokens;
    if (this.#state !== "on" || rest.length === 0) return;
    const { endTokens } = this.#options.vocabulary;
    const end = rest.findIndex((token) => endTokens.includes(token));
    const inside = end < 0 ? rest : rest.slice(0, end);
    if (inside.length > 0) this.#grammar.accept(inside);
    if (end >= 0) this.#state = "ended";
  }

  close(): void {
    for (const position of this.#held) this.#release(position);
  }

  #release(position: GrammarPosition | undefined): void {
    if (position !== undefined && this.#held.delete(position)) position.close();
  }

  /** The first token decides which grammar holds, and frees the other; returns the tokens that the one is about. */
  #decide(tokens: readonly number[]): readonly number[] {
    const { grammar, otherwise, trigger } = this.#options;
    const isTriggered = tokens[0] === trigger;
    this.#state = isTriggered || otherwise !== undefined ? "on" : "off";
    this.#release(isTriggered ? otherwise : grammar);
    if (!isTriggered) return tokens;
    this.#grammar = grammar;
    return tokens.slice(1);
  }

  #isFree(): boolean {
    return this.#state === "off" || (this.#state === "waiting" && this.#options.otherwise === undefined);
  }

  #next(): TokenSet {
    const { trigger, vocabulary } = this.#options;
    const next = this.#state === "ended" ? undefined : this.#grammar.allowed();
    const words = next?.slice() ?? new Int32Array(Math.ceil(vocabulary.size / 32));
    if (!isFilled(words)) for (const token of vocabulary.endTokens) addToken(words, token);
    if (this.#state === "waiting" && trigger !== null) addToken(words, trigger);
    return words;
  }
}
