import { unlessAborted } from "@rhone/common";
import { ClosingTokens } from "../engine/closing-tokens.js";
import type { MatcherOptions } from "../engine/grammar-engine.js";
import type { GrammarVocabulary } from "../engine/grammar-vocabulary.js";
import { TokenMatcher } from "../engine/token-matcher.js";
import type { GrammarLimits } from "./grammar-limits.js";
import { HeldGrammars } from "./held-grammars.js";
import { packVocabulary } from "./messages.js";
import type { ThreadPosition } from "./thread-position.js";

export interface GrammarThreadsOptions {
  readonly vocabulary: GrammarVocabulary;
  readonly limits: GrammarLimits;
}

export interface MatchOptions extends MatcherOptions {
  /** Tokens that the text already has. */
  readonly generated: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** How long a grammar is kept after its last text. */
const KEPT_MS = 20_000;

/** Matchers whose grammars are compiled and asked in threads of their own. */
export class GrammarThreads {
  readonly #vocabulary: GrammarVocabulary;
  readonly #closing: ClosingTokens;
  readonly #held: HeldGrammars;
  /** Settled when no text is getting its two grammars. */
  #pairs: Promise<unknown> = Promise.resolve();

  constructor({ vocabulary, limits }: GrammarThreadsOptions) {
    this.#vocabulary = vocabulary;
    this.#closing = new ClosingTokens(vocabulary);
    this.#held = new HeldGrammars({ vocabulary: packVocabulary(vocabulary), limits, keptMs: KEPT_MS });
  }

  /**
   * A matcher that has accepted what the text already has. Throws GRAMMAR_TOO_COSTLY, INVALID_REQUEST for a grammar
   * that the engine does not accept, STAGE_FAILED for one that does not allow what was generated, and the reason of
   * `signal`. The matcher's masks throw GRAMMAR_TOO_COSTLY when they are late.
   */
  async match(options: MatchOptions): Promise<TokenMatcher> {
    const until = options.signal ?? new AbortController().signal;
    if (options.otherwise == null) return this.#match(options, until);
    // One after the other: texts that have one of their grammars each could wait for each other's threads for ever.
    const before = this.#pairs;
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.#pairs = before.then(() => finished);
    try {
      await unlessAborted(before, until);
      return await this.#match(options, until);
    } finally {
      finish();
    }
  }

  async #match(
    { grammar, otherwise = null, trigger = null, generated }: MatchOptions,
    until: AbortSignal,
  ): Promise<TokenMatcher> {
    const first = await this.#start(grammar, until);
    const open = [first];
    try {
      const second = otherwise === null ? undefined : await this.#start(otherwise, until);
      if (second !== undefined) open.push(second);
      const [vocabulary, closing] = [this.#vocabulary, this.#closing];
      const matcher = new TokenMatcher({ grammar: first, otherwise: second, vocabulary, closing, trigger });
      matcher.acceptAll(generated);
      for (const position of open) await unlessAborted(position.settle(), until);
      return matcher;
    } catch (error) {
      for (const position of open) position.close();
      throw error;
    }
  }

  /** Ends every thread; matchers throw from now on. */
  close(): void {
    this.#held.close();
  }

  async #start(grammar: string, signal: AbortSignal): Promise<ThreadPosition> {
    const { thread, shortest, release } = await this.#held.use(grammar, signal);
    return thread.start(shortest, release);
  }
}
