import { AHEAD_LENGTH } from "../engine/ahead.js";
import type { GrammarVocabulary } from "../engine/grammar-vocabulary.js";

/** What a grammar's thread is started with. */
export interface ThreadData {
  readonly vocabulary: PackedVocabulary;
  readonly grammar: string;
  /** Most bytes of the thread's WebAssembly memory. */
  readonly memoryBytes: number;
}

/** To a grammar's thread. */
export type ToThread =
  /** Answered once it is done. */
  | { readonly kind: "compile" }
  | { readonly kind: "start"; readonly position: number; readonly cells: Int32Array }
  | { readonly kind: "accept"; readonly position: number; readonly tokens: readonly number[] }
  | { readonly kind: "close"; readonly position: number }
  /** Answered once everything before it is done. */
  | { readonly kind: "settle" };

/**
 * One position's cells, i32, in memory that both threads see. `turn`: how many of the messages to start and to
 * accept are answered; the allowed tokens, one bit each from `words` on, are those after the last of them, and `ahead`
 * is how the text can go on from there. `refused`: one more than the first token that was not allowed; 0 while all
 * were.
 */
export const CELLS = { turn: 0, refused: 1, ahead: 2, words: 2 + AHEAD_LENGTH } as const;

export const newCells = (size: number): Int32Array =>
  new Int32Array(new SharedArrayBuffer((CELLS.words + Math.ceil(size / 32)) * Int32Array.BYTES_PER_ELEMENT));

/** A vocabulary in shared memory, so that a thread costs no copy of it. Piece i is bytes [ends[i - 1], ends[i]). */
export interface PackedVocabulary {
  readonly size: number;
  readonly endTokens: readonly number[];
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

export function packVocabulary({ size, endTokens, pieces }: GrammarVocabulary): PackedVocabulary {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const bytes = new Uint8Array(new SharedArrayBuffer(total));
  const ends = new Uint32Array(new SharedArrayBuffer(pieces.length * Uint32Array.BYTES_PER_ELEMENT));
  let end = 0;
  for (const [id, piece] of pieces.entries()) {
    bytes.set(piece, end);
    end += piece.length;
    ends[id] = end;
  }
  return { size, endTokens, bytes, ends };
}

export function unpackVocabulary({ size, endTokens, bytes, ends }: PackedVocabulary): GrammarVocabulary {
  const pieces = Array.from(ends, (end, id) => bytes.slice(id === 0 ? 0 : ends[id - 1], end));
  return { size, endTokens, pieces };
}
