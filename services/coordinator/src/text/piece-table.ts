/** The part of a tokenizer that is needed here. */
export interface PieceSource {
  /** The bytes that a token adds to the text. Control tokens add their name when `special`, nothing otherwise. */
  pieceBytes(token: number, options: { readonly special: boolean }): Uint8Array;
}

export interface Piece {
  readonly bytes: Uint8Array;
  /** The bytes as text; null when they are not whole characters. */
  readonly text: string | null;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The pieces of one vocabulary. Each is read from its source once. */
export class PieceTable {
  readonly #source: PieceSource;
  readonly #plain = new Map<number, Piece>();
  readonly #withSpecial = new Map<number, Piece>();

  constructor(source: PieceSource) {
    this.#source = source;
  }

  piece(token: number, special: boolean): Piece {
    const cache = special ? this.#withSpecial : this.#plain;
    const known = cache.get(token);
    if (known !== undefined) return known;
    const bytes = this.#source.pieceBytes(token, { special });
    const piece: Piece = { bytes, text: wholeText(bytes) };
    cache.set(token, piece);
    return piece;
  }
}

function wholeText(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}
