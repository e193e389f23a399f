/** What grammars may cost. */
export interface GrammarLimits {
  /** Longest processor time for compiling, and for repeating what a text already has, in milliseconds. */
  readonly compileMs: number;
  /**
   * Longest time for a mask, in milliseconds, counted from the token before. By the clock, not processor time: a step
   * waits for the mask, and everybody's text for the step.
   */
  readonly maskMs: number;
  /** Most bytes of the engine's memory, for the vocabulary and the grammar. */
  readonly memoryBytes: number;
  /**
   * Most threads, each with one grammar; at least 2, as a text may need two. A further grammar waits until no text
   * needs one of the others.
   */
  readonly threads: number;
  /** Longest time that a text without tokens waits for its threads, in milliseconds. */
  readonly waitMs: number;
}

/** Compiling may take longer than at the gateway, which tries each grammar first: this machine computes besides. */
export const DEFAULT_GRAMMAR_LIMITS: GrammarLimits = {
  compileMs: 3000,
  maskMs: 200,
  memoryBytes: 256 * 2 ** 20,
  threads: 16,
  waitMs: 300_000,
};
