export interface StopMatch {
  /** Text that can't become part of a stop string any more. */
  readonly text: string;
  /** The stop string that ended the text, or null. */
  readonly matched: string | null;
}

/** Finds stop strings in a growing text and holds back text that may be the start of one. */
export class StopMatcher {
  readonly #stops: readonly string[];
  readonly #include: boolean;
  #held = "";

  /** `include`: a matched stop string stays in the text. */
  constructor(stops: readonly string[], options: { readonly include: boolean }) {
    this.#stops = stops;
    this.#include = options.include;
  }

  push(text: string): StopMatch {
    if (this.#stops.length === 0) return { text, matched: null };
    const all = this.#held + text;
    const match = this.#earliest(all);
    if (match !== null) {
      this.#held = "";
      return { text: all.slice(0, this.#include ? match.end : match.start), matched: match.stop };
    }
    const shown = all.length - this.#heldLength(all);
    this.#held = all.slice(shown);
    return { text: all.slice(0, shown), matched: null };
  }

  /** The text held back, when the text ends without a stop string. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  #earliest(text: string): { readonly start: number; readonly end: number; readonly stop: string } | null {
    let best: { start: number; end: number; stop: string } | null = null;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      const end = start + stop.length;
      // The one that is complete first ends the text, as it would if the text grew by single characters.
      if (start >= 0 && (best === null || end < best.end)) best = { start, end, stop };
    }
    return best;
  }

  #heldLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
