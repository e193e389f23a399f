import { RhoneError } from "@rhone/common";
import { type Engine, Vocabulary } from "@rhone/ggml";
import {
  DEFAULT_GRAMMAR_LIMITS,
  type GrammarLimits,
  GrammarThreads,
  grammarVocabulary,
  type TokenMatcher,
} from "@rhone/grammar";
import type { SequenceOpen } from "../wire/step.js";

export interface ConstraintsOptions {
  readonly engine: Engine;
  /** The GGUF file. */
  readonly path: string;
  readonly vocabSize: number;
  /** Default: DEFAULT_GRAMMAR_LIMITS. */
  readonly limits?: GrammarLimits | undefined;
}

/** The grammars of one model's constrained sequences, in threads of their own. */
export class Constraints {
  readonly #options: ConstraintsOptions;
  #threads: Promise<GrammarThreads> | undefined;

  constructor(options: ConstraintsOptions) {
    this.#options = options;
  }

  /** Reads the vocabulary, unless that is done: 80 ms for 131,072 tokens, which no step should wait for. */
  prepare(): Promise<GrammarThreads> {
    this.#threads ??= this.#start();
    return this.#threads;
  }

  /**
   * A matcher that has accepted what the sequence has generated; null when it is not constrained. Does not block: other
   * sequences go on while this one's grammar waits for its turn and is compiled. Throws GRAMMAR_TOO_COSTLY;
   * GRAMMARS_BUSY when its turn does not come in time; STAGE_FAILED when the grammar does not compile, which the
   * gateway has tried before, or does not allow the generated tokens; and the reason of `signal`, which ends the
   * compilation. The matcher's `mask` and `accept` throw GRAMMAR_TOO_COSTLY and STAGE_FAILED, which concern this
   * sequence only.
   */
  async open(open: SequenceOpen, signal?: AbortSignal): Promise<TokenMatcher | null> {
    const { sequence, constraint, owner, generated } = open;
    if (constraint === null) return null;
    try {
      const threads = await this.prepare();
      return await threads.match({ ...constraint, owner, generated: [...generated], signal });
    } catch (cause) {
      if (!(cause instanceof RhoneError) || cause.code !== "INVALID_REQUEST") throw cause;
      throw new RhoneError("STAGE_FAILED", `The grammar of sequence ${sequence} does not compile.`, { cause });
    }
  }

  /** Ends every thread; matchers throw from now on. */
  close(): void {
    void this.#threads?.then(
      (threads) => threads.close(),
      () => {},
    );
    this.#threads = undefined;
  }

  async #start(): Promise<GrammarThreads> {
    const { engine, path, vocabSize, limits = DEFAULT_GRAMMAR_LIMITS } = this.#options;
    const vocabulary = Vocabulary.open(engine, path);
    try {
      return new GrammarThreads({ vocabulary: await grammarVocabulary(vocabulary, vocabSize), limits });
    } finally {
      vocabulary.close();
    }
  }
}
