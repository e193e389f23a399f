import { RhoneError } from "@rhone/common";
import { type Engine, Vocabulary } from "@rhone/ggml";
import { GrammarEngine, grammarVocabulary, type TokenMatcher } from "@rhone/grammar";
import type { rhone } from "@rhone/proto";
import { readTokens } from "./sequence-sampler.js";

export interface ConstraintsOptions {
  readonly engine: Engine;
  /** The GGUF file. */
  readonly path: string;
  readonly vocabSize: number;
}

/** The grammars of one model's constrained sequences. The vocabulary is read when the first of them comes. */
export class Constraints {
  readonly #options: ConstraintsOptions;
  #grammars: GrammarEngine | undefined;

  constructor(options: ConstraintsOptions) {
    this.#options = options;
  }

  /**
   * A matcher behind what the sequence has generated; undefined when it is not constrained. Compiling blocks the process, about
   * as long as a step; the grammar has been tried out before. Throws STAGE_FAILED when it does not compile all the same.
   */
  async open({ constraint, generated }: rhone.v1.SequenceOpen.$Properties): Promise<TokenMatcher | undefined> {
    if (constraint == null) return undefined;
    this.#grammars ??= new GrammarEngine(this.#readVocabulary());
    const { grammar, trigger, otherwise } = constraint;
    const options = { grammar: grammar ?? "", trigger: trigger || null, otherwise: otherwise || null };
    const matcher = await this.#grammars.match(options).catch((cause: unknown) => {
      throw new RhoneError("STAGE_FAILED", "A constraint's grammar could not be compiled.", { cause });
    });
    for (const token of readTokens(generated)) matcher.accept(token);
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
