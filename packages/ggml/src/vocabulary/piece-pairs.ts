/** `Set` holds numbers, not pairs: two code points in one. */
const CODE_POINTS = 0x110000;

/** The pairs of neighbouring characters in the texts of a vocabulary's pieces. */
export class PiecePairs {
  readonly #pairs = new Set<number>();

  constructor(pieces: Iterable<string>) {
    for (const piece of pieces) this.#add(piece);
  }

  /** Whether some piece holds `left` and then `right`, both code points. */
  have(left: number, right: number): boolean {
    return this.#pairs.has(left * CODE_POINTS + right);
  }

  #add(piece: string): void {
    let left: number | undefined;
    for (const character of piece) {
      const right = character.codePointAt(0) ?? 0;
      if (left !== undefined) this.#pairs.add(left * CODE_POINTS + right);
      left = right;
    }
  }
}
