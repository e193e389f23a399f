import { unlessAborted } from "@rhone/common";
import type { MatcherOptions } from "../engine/grammar-engine.js";
import type { GrammarVocabulary } from "../engine/grammar-vocabulary.js";
import { LeadingTokens } from "../engine/leading-tokens.js";
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
  /** Who has asked for the text, whose share of the threads it uses; "" = a client without a key. */
  readonly owner: string;
  /** Tokens that the text already has. */
  readonly generated: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** How long a grammar is kept after its last text. */
const KEPT_MS = 20_000;

/** Matchers whose grammars are compiled and asked in threads of their own. */
export class GrammarThreads {
  readonly #vocabulary: GrammarVocabulary;
  readonly #leading: LeadingTokens;
  readonly #held: HeldGrammars;

  constructor({ vocabulary, limits }: GrammarThreadsOptions) {
    this.#vocabulary = vocabulary;
    this.#leading = new LeadingTokens(vocabulary);
    this.#held = new HeldGrammars({ vocabulary: packVocabulary(vocabulary), limits, keptMs: KEPT_MS });
  }

  /**
   * A matcher that has accepted what the text already has. Throws GRAMMAR_TOO_COSTLY, GRAMMARS_BUSY after `waitMs`,
   * INVALID_REQUEST for a grammar that the engine does not accept, STAGE_FAILED for one that does not allow what was
   * generated, and the reason of `signal`. The matcher's masks throw GRAMMAR_TOO_COSTLY when they are late.
   */
  async match({ owner, grammar, otherwise, trigger = null, generated, signal }: MatchOptions): Promise<TokenMatcher> {
    const until = signal ?? new AbortController().signal;
    const grammars = otherwise == null ? [grammar] : [grammar, otherwise];
    const uses = await this.#held.use({ owner, grammars, hasBegun: generated.length > 0 }, until);
    const positions = uses.map(({ thread, release }) => thread.start(release));
    try {
      const [first, second] = positions as [ThreadPosition, ThreadPosition | undefined];
      const [vocabulary, leading] = [this.#vocabulary, this.#leading];
      const matcher = new TokenMatcher({ grammar: first, otherwise: second, vocabulary, leading, trigger });
      matcher.acceptAll(generated);
      for (const position of positions) await unlessAborted(position.settle(), until);
      return matcher;
    } catch (error) {
      for (const position of positions) position.close();
      throw error;
    }
  }

  /** Ends every thread; matchers throw from now on. */
  close(): void {
    this.#held.close();
  }
}
