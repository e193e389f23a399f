import { setImmediate as turnOfTheLoop } from "node:timers/promises";

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

/** Tokens that are read between two turns of the event loop. */
const SLICE = 4096;

/**
 * Reads all of a vocabulary in many turns of the event loop: 131,072 tokens take 80 ms, and several times as long
 * beside threads that compute. `size`: the model's number of logits, which may exceed its tokens.
 */
export async function grammarVocabulary(tokens: Tokens, size: number): Promise<GrammarVocabulary> {
  const pieces: Uint8Array[] = [];
  const endTokens: number[] = [];
  for (let id = 0; id < tokens.size; id++) {
    if (id % SLICE === 0) await turnOfTheLoop();
    const bytes = tokens.isControl(id) ? [] : tokens.pieceBytes(id, { special: false });
    pieces.push(new Uint8Array(bytes));
    if (tokens.isEndOfGeneration(id)) endTokens.push(id);
  }
  return { size, pieces, endTokens };
}
