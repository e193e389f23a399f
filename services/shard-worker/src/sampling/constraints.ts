import { RhoneError } from "@rhone/common";
import { type Engine, Vocabulary } from "@rhone/ggml";
import { GrammarEngine, grammarVocabulary, type TokenMatcher } from "@rhone/grammar";
import type { SequenceOpen } from "../wire/step.js";

export interface ConstraintsOptions {
  readonly engine: Engine;
  /** The GGUF file. */
  readonly path: string;
  readonly vocabSize: number;
}

/** The grammars of one model's constrained sequences. Reads the vocabulary when the first of them opens. */
export class Constraints {
  readonly #options: ConstraintsOptions;
  #grammars: GrammarEngine | undefined;

  constructor(options: ConstraintsOptions) {
    this.#options = options;
  }

  /**
   * A matcher that has accepted what the sequence has generated; null when it is not constrained. Compiling blocks the
   * process for about as long as a step. Throws STAGE_FAILED when the grammar does not compile, which the gateway has
   * tried before, or does not allow the generated tokens.
   */
  async open(
    { sequence, constraint, generated }: SequenceOpen,
    _signal?: AbortSignal,
  ): Promise<TokenMatcher | null> {
    if (constraint === null) return null;
    this.#grammars ??= new GrammarEngine(this.#readVocabulary());
    const matcher = await this.#grammars.match(constraint).catch((cause: unknown) => {
      throw new RhoneError("STAGE_FAILED", `The grammar of sequence ${sequence} does not compile.`, { cause });
    });
    try {
      for (const token of generated) matcher.accept(token);
    } catch (error) {
      matcher.close();
      throw error;
    }
    return matcher;
  }

  #readVocabulary() {
    const { engine, path, vocabSize } = this.#options;
    const vocabulary = Vocabulary.open(engine, path);
    try {
      return grammarVocabulary(vocabulary, vocabSize);
    } finally {
      vocabulary.close();
    }
  }
}
