/** What JSON may hold. Reading it takes memory and time for each part, whatever their size. */
export interface JsonLimits {
  /** Levels of nesting. Deeper JSON parses, but exhausts the stack when it is written. */
  readonly depth: number;
  /** Objects, lists and keys; 200,000 take about 100 ms to parse. */
  readonly parts: number;
  /** Values that follow another one in a list or an object; a million token ids take about 100 ms. */
  readonly values: number;
}

export const JSON_LIMITS: JsonLimits = { depth: 1000, parts: 200_000, values: 1_250_000 };

const [QUOTE, COMMA, COLON, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'",:[\\]{}'].map(
  (sign) => sign.charCodeAt(0),
) as [number, number, number, number, number, number, number, number];

/** Counts the parts of a JSON text that arrives in pieces, so that a costly one is refused before it is parsed. */
export class JsonShape {
  readonly #limits: JsonLimits;
  #depth = 0;
  #parts = 0;
  #values = 0;
  #isTooDeep = false;
  #isInString = false;
  #isEscaped = false;

  constructor(limits: JsonLimits = JSON_LIMITS) {
    this.#limits = limits;
  }

  /**
   * What makes the text too costly so far, to follow its name in a sentence; null while it is not. Whether it is JSON
   * is for the parser to say.
   */
  push(bytes: Uint8Array): string | null {
    for (let at = 0; at < bytes.length && !this.#isTooDeep; at++) {
      if (this.#isInString) at = this.#endOfString(bytes, at);
      else this.#count(bytes[at]);
    }
    const { depth, parts, values } = this.#limits;
    if (this.#isTooDeep) return `nests more than ${depth} levels deep; flatten it.`;
    if (this.#parts > parts) return `has more than ${parts} objects, lists and keys; split the request.`;
    return this.#values > values ? `has more than ${values} values; split the request.` : null;
  }

  #count(byte: number | undefined): void {
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === COMMA) this.#values++;
    else if (byte === COLON) this.#parts++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      this.#parts++;
      this.#isTooDeep = ++this.#depth > this.#limits.depth;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth--;
  }

  /** The index of the quote that ends the string, or the last index when it goes on. */
  #endOfString(bytes: Uint8Array, from: number): number {
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at++;
    }
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) {
        this.#isInString = false;
        return at;
      }
    }
    // A backslash was the last byte: the next piece begins with what it escapes.
    this.#isEscaped = at > bytes.length;
    return bytes.length - 1;
  }
}
