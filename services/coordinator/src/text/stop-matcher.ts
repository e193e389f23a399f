export interface StopMatch {
  /** Text that can't become part of a stop string any more. */
  readonly text: string;
  /** The stop string that ended the text, or null. */
  readonly matched: string | null;
}

/**
 * Finds stop strings in a growing text and holds back text that may be the start of one. Takes time in proportion to
 * the text, whatever the stop strings are.
 */
export class StopMatcher {
  readonly #stops: readonly StopString[];
  readonly #include: boolean;
  #held = "";

  /** `include`: a matched stop string stays in the text. */
  constructor(stops: readonly string[], options: { readonly include: boolean }) {
    this.#stops = stops.map((stop) => new StopString(stop));
    this.#include = options.include;
  }

  push(text: string): StopMatch {
    if (this.#stops.length === 0) return { text, matched: null };
    const all = this.#held + text;
    for (let end = this.#held.length + 1; end <= all.length; end++) {
      const stop = this.#complete(all.charCodeAt(end - 1));
      if (stop === undefined) continue;
      this.#held = "";
      return { text: all.slice(0, this.#include ? end : end - stop.length), matched: stop };
    }
    const shown = all.length - Math.max(...this.#stops.map(({ reached }) => reached));
    this.#held = all.slice(shown);
    return { text: all.slice(0, shown), matched: null };
  }

  /** The text held back, when the text ends without a stop string. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  /** The first of the stop strings that the text's next UTF-16 unit completes. */
  #complete(unit: number): string | undefined {
    let complete: string | undefined;
    for (const stop of this.#stops) if (stop.read(unit)) complete ??= stop.text;
    return complete;
  }
}

/** One stop string, and how much of it the text's end is. Knuth, Morris, Pratt (1977). */
class StopString {
  readonly text: string;
  /**
   * Entry n: the length of the longest beginning of the string that its first n units also end with, n itself aside.
   * They are written as far as the text has come: most texts never begin most of their stop strings.
   */
  readonly #borders = [0, 0];
  #reached = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Units of the string that the text read so far ends with. */
  get reached(): number {
    return this.#reached;
  }

  /** Reads the text's next unit; true when it completes the string. */
  read(unit: number): boolean {
    this.#reached = this.#extend(this.#reached, unit);
    if (this.#reached === this.#borders.length) {
      this.#borders.push(this.#extend(this.#borders.at(-1) ?? 0, unit));
    }
    return this.#reached === this.text.length;
  }

  #extend(from: number, unit: number): number {
    let length = from;
    while (length > 0 && this.text.charCodeAt(length) !== unit) length = this.#borders[length] ?? 0;
    return this.text.charCodeAt(length) === unit ? length + 1 : 0;
  }
}
