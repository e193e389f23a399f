import type { Ahead } from "./ahead.js";
import type { TokenSet } from "./leading-tokens.js";

/** A compiled grammar with its position in one text. Owns memory of the engine until `close`. */
export interface GrammarPosition {
  /**
   * The tokens that may come next, end tokens among them where the text is complete; empty where it can't go on. For
   * reading only, until the next call. Throws what the engine's owner promises.
   */
  allowed(): TokenSet;
  /** How the text can go on; for reading only, after `allowed` and until the next call. */
  ahead(): Ahead;
  /** Advances by tokens, none an end. Throws STAGE_FAILED, now or later, for one that may not follow. */
  accept(tokens: readonly number[]): void;
  close(): void;
}

/** The message about a token that a grammar does not allow. */
export const notAllowed = (token: number): string => `The grammar does not allow token ${token} here.`;
