import type { PieceTable } from "./piece-table.js";

const EMPTY = Buffer.alloc(0);

/**
 * Turns a sequence's tokens into text, one by one. The bytes of an incomplete character are held back until it is
 * complete, so U+FFFD appears only for bytes that can never become a character.
 */
export class Detokenizer {
  readonly #pieces: PieceTable;
  readonly #special: boolean;
  #pending: Buffer = EMPTY;

  constructor(pieces: PieceTable, options: { readonly special: boolean }) {
    this.#pieces = pieces;
    this.#special = options.special;
  }

  /** The text that `token` completes; "" when it only adds to an incomplete character. */
  push(token: number): string {
    const piece = this.#pieces.piece(token, this.#special);
    if (piece.bytes.length === 0) return "";
    if (this.#pending.length === 0 && piece.text !== null) return piece.text;
    const bytes = Buffer.concat([this.#pending, piece.bytes]);
    const whole = bytes.length - incompleteTail(bytes);
    this.#pending = bytes.subarray(whole);
    return bytes.toString("utf8", 0, whole);
  }

  /** The bytes held back, at the end of the text: an incomplete character becomes U+FFFD. */
  flush(): string {
    const text = this.#pending.toString("utf8");
    this.#pending = EMPTY;
    return text;
  }
}

/**
 * Length of the incomplete UTF-8 character at the end of `bytes`: 3 for F0 9F 98, 0 for F0 9F 98 80.
 */
export function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return characterLength(byte) > back ? back : 0;
  }
  return 0;
}

function characterLength(lead: number): number {
  if (lead >= 0xf8) return 1; // never a valid lead: becomes U+FFFD at once
  if (lead >= 0xf0) return 4;
  return lead >= 0xe0 ? 3 : 2;
}
