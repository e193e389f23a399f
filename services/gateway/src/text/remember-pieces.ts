type PieceBytes = (id: number, options: { readonly special: boolean }) => Buffer;

/**
 * Asks for each token's bytes once: 85,000 log-probabilities name as many tokens, and a call of libllama for each would
 * hold the event loop. Memory is bounded by the vocabulary, 13 MB for 131,072 tokens.
 */
export function rememberPieces(read: PieceBytes): PieceBytes {
  const known: Readonly<Record<"special" | "plain", Map<number, Buffer>>> = { special: new Map(), plain: new Map() };
  return (id, options) => {
    const pieces = options.special ? known.special : known.plain;
    const found = pieces.get(id);
    if (found !== undefined) return found;
    const bytes = read(id, options);
    pieces.set(id, bytes);
    return bytes;
  };
}
