import { RhoneError } from "@rhone/common";
import type { GrammarMatcher } from "./xgrammar.js";

/** What the library's matcher wraps; `getNextTokenBitmask` answers with a promise, and draws of one step cannot wait for each other. */
interface MatcherHandle {
  /** A vector of 32-bit words in the library's memory, to be deleted after use. */
  GetNextTokenBitmask(size: number): { size(): number; get(index: number): number; delete(): void };
}

export interface TokenMatcherOptions {
  readonly matcher: GrammarMatcher;
  /** Of texts that do not begin with the trigger; undefined: those are free. */
  readonly otherwise: GrammarMatcher | undefined;
  readonly size: number;
  readonly endTokens: readonly number[];
  readonly trigger: number | null;
}

/** waiting: the first token decides. off: it was not the trigger. ended: an end token came. */
type State = "waiting" | "on" | "off" | "ended";

/** Holds one text to its grammar, token by token. Owns memory of the engine until `close`. */
export class TokenMatcher {
  readonly #options: TokenMatcherOptions;
  readonly #words: Int32Array;
  #matcher: GrammarMatcher;
  #state: State;

  constructor(options: TokenMatcherOptions) {
    this.#options = options;
    this.#words = new Int32Array(Math.ceil(options.size / 32));
    this.#matcher = options.otherwise ?? options.matcher;
    this.#state = options.trigger === null ? "on" : "waiting";
  }

  /**
   * Rules out every token that the grammar does not let follow; only end tokens stay when the text is complete or leads nowhere.
   * `banned` tokens are ruled out too unless nothing else is left: a complete text ends. logits: f32 [size], changed in place.
   */
  mask(logits: Float32Array, banned: readonly number[] = []): void {
    if (this.#isFree()) {
      for (const token of banned) logits[token] = Number.NEGATIVE_INFINITY;
      return;
    }
    const words = this.#allowed();
    const kept = words.slice();
    for (const token of banned) kept[token >> 5] = (kept[token >> 5] ?? 0) & ~(1 << (token & 31));
    const chosen = kept.some((word) => word !== 0) ? kept : words;
    for (let token = 0; token < logits.length; token++) {
      if ((((chosen[token >> 5] ?? 0) >>> (token & 31)) & 1) === 0) logits[token] = Number.NEGATIVE_INFINITY;
    }
  }

  /** Goes on by a token. Throws STAGE_FAILED when the grammar does not let it follow. */
  accept(token: number): void {
    const { matcher, otherwise, trigger, endTokens } = this.#options;
    if (this.#state === "waiting") {
      this.#state = token === trigger || otherwise !== undefined ? "on" : "off";
      if (token === trigger) {
        this.#matcher = matcher;
        return;
      }
    }
    if (this.#state === "on" && endTokens.includes(token)) this.#state = "ended";
    else if (this.#state === "on" && !this.#matcher.acceptToken(token)) {
      throw new RhoneError("STAGE_FAILED", `Token ${token} does not follow in its grammar.`);
    }
  }

  close(): void {
    this.#options.matcher.dispose();
    this.#options.otherwise?.dispose();
  }

  #isFree(): boolean {
    return this.#state === "off" || (this.#state === "waiting" && this.#options.otherwise === undefined);
  }

  /** One bit per token. */
  #allowed(): Int32Array {
    const { trigger, size, endTokens } = this.#options;
    const words = this.#words.fill(0);
    if (this.#state !== "ended") {
      const { handle } = this.#matcher as unknown as { readonly handle: MatcherHandle };
      const vector = handle.GetNextTokenBitmask(size);
      const count = Math.min(vector.size(), words.length);
      for (let i = 0; i < count; i++) words[i] = vector.get(i);
      vector.delete();
    }
    if (words.every((word) => word === 0)) for (const token of endTokens) allow(words, token);
    if (this.#state === "waiting" && trigger !== null) allow(words, trigger);
    return words;
  }
}

function allow(words: Int32Array, token: number): void {
  words[token >> 5] = (words[token >> 5] ?? 0) | (1 << (token & 31));
}
