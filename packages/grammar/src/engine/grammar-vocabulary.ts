/** The parts of a tokenizer that grammars need. */
export interface GrammarVocabulary {
  /** Number of logits. */
  readonly size: number;
  /** The bytes that each token adds to the text; empty for control tokens, which no grammar allows. */
  readonly pieces: readonly Uint8Array[];
  /** Tokens that end a text. */
  readonly endTokens: readonly number[];
}

interface Tokens {
  readonly size: number;
  isControl(id: number): boolean;
  isEndOfGeneration(id: number): boolean;
  pieceBytes(id: number, options: { readonly special: boolean }): Uint8Array;
}

/** Reads all of a vocabulary. `size`: the model's number of logits, which may exceed its tokens. */
export function grammarVocabulary(tokens: Tokens, size: number): GrammarVocabulary {
  const ids = Array.from({ length: tokens.size }, (_, id) => id);
  return {
    size,
    pieces: ids.map((id) =>
      tokens.isControl(id) ? new Uint8Array() : new Uint8Array(tokens.pieceBytes(id, { special: false })),
    ),
    endTokens: ids.filter((id) => tokens.isEndOfGeneration(id)),
  };
}
