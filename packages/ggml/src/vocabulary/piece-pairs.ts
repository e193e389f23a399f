/** `Set` holds numbers, not pairs: two code points in one. */
const CODE_POINTS = 0x110000;
/** Characters that some text may need as an anchor; the first that no piece holds is taken. */
const PRIVATE_USE = 0xe000;

/**
 * The pairs of neighbouring characters in the texts of a vocabulary's pieces.
 *
 * SentencePiece begins with single characters and joins two neighbours when their joined text is a piece, best score
 * first. The first join across a place between two characters a and b would make a piece that holds "ab". Where no
 * piece holds "ab", nothing joins across, and what happens on one side never depends on the other: a text that is cut
 * there has the ids of its two parts.
 */
export class PiecePairs {
  readonly #pairs = new Set<number>();
  readonly #characters = new Set<number>();

  constructor(pieces: Iterable<string>) {
    for (const piece of pieces) this.#add(piece);
  }

  /** Whether some piece holds `left` and then `right`, both code points. */
  have(left: number, right: number): boolean {
    return this.#pairs.has(left * CODE_POINTS + right);
  }

  /** A character that no piece holds, so that it joins nothing. */
  stranger(): string {
    let character = PRIVATE_USE;
    while (this.#characters.has(character)) character++;
    return String.fromCodePoint(character);
  }

  #add(piece: string): void {
    let left: number | undefined;
    for (const character of piece) {
      const right = character.codePointAt(0) ?? 0;
      this.#characters.add(right);
      if (left !== undefined) this.#pairs.add(left * CODE_POINTS + right);
      left = right;
    }
  }
}
