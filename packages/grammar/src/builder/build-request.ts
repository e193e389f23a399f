import type { GrammarSource } from "../sources/grammar-source.js";
import type { PackedVocabulary } from "../threads/messages.js";

/** What the builder's thread is started with. */
export interface BuilderData {
  readonly vocabulary: PackedVocabulary;
  /** Most bytes of the engine's memory. */
  readonly memoryBytes: number;
}

/** Answered with the grammar and what it lets through. */
export interface BuildRequest {
  readonly source: GrammarSource;
  /** Every text begins with a space, which the source does not know of. */
  readonly leadingSpace: boolean;
  /** How much is let through of schemas that are not strict, as `writeLenient` counts. Default: 0. */
  readonly level?: number;
  /** false: write the grammar, which finds mistakes in its source, but do not try it out. Default: true. */
  readonly isTried?: boolean;
}
