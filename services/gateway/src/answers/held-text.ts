/** Texts that are joined at a time. */
const JOINED = 64;

/**
 * A text that arrives in pieces. `+=` makes a tree of it, which takes 60 bytes for each piece until it is read; the
 * text of a token has 4.
 */
export class HeldText {
  readonly #joined: string[] = [];
  #pieces: string[] = [];

  push(piece: string): void {
    if (piece === "") return;
    this.#pieces.push(piece);
    if (this.#pieces.length < JOINED) return;
    this.#joined.push(this.#pieces.join(""));
    this.#pieces = [];
  }

  toString(): string {
    return [...this.#joined, ...this.#pieces].join("");
  }
}
