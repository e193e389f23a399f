/** What a grammar must know of a tokenizer. */
export interface GrammarVocabulary {
  /** How many logits there are. */
  readonly size: number;
  /** The bytes that each token adds to the text; none for control tokens, which no grammar lets in. */
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

/** Reads a vocabulary out. `size`: how many logits the model has, which may be more than there are tokens. */
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
