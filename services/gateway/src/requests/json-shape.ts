/** What JSON may hold. Reading it takes memory and time for each part, whatever their size. */
export interface JsonLimits {
  /** Levels of nesting. Deeper JSON parses, but exhausts the stack when it is written. */
  readonly depth: number;
  /** Objects, lists and keys; 200,000 take about 100 ms to parse. */
  readonly parts: number;
  /**
   * Keys of one object that are no numbers up to 999,999, which tokens' biases have. To list 190,000 takes 70 to 300 ms
   * in one turn of the event loop.
   */
  readonly keys: number;
  /** Values that follow another one in a list or an object; a million token ids take about 100 ms. */
  readonly values: number;
}

export const JSON_LIMITS: JsonLimits = { depth: 1000, parts: 200_000, keys: 20_000, values: 1_250_000 };

/** Digits of the largest token id that any vocabulary has. */
const LONGEST_ID = 6;
const [ZERO, NINE] = [..."09"].map((sign) => sign.charCodeAt(0)) as [number, number];
const [QUOTE, COMMA, COLON, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'",:[\\]{}'].map(
  (sign) => sign.charCodeAt(0),
) as [number, number, number, number, number, number, number, number];

/** Counts the parts of a JSON text that arrives in pieces, so that a costly one is refused before it is parsed. */
export class JsonShape {
  readonly #limits: JsonLimits;
  #depth = 0;
  #parts = 0;
  #values = 0;
  /** Of each object that is open, by its depth. */
  readonly #keys: number[] = [0];
  #mostKeys = 0;
  /** Of the last string, while it may be a token's id; -1 once it is none. */
  #digits = 0;
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
    const { depth, parts, keys, values } = this.#limits;
    if (this.#isTooDeep) return `nests more than ${depth} levels deep; flatten it.`;
    if (this.#parts > parts) return `has more than ${parts} objects, lists and keys; split the request.`;
    if (this.#mostKeys > keys) return `has an object of more than ${keys} keys; split it.`;
    return this.#values > values ? `has more than ${values} values; split the request.` : null;
  }

  #count(byte: number | undefined): void {
    if (byte === QUOTE) {
      this.#isInString = true;
      this.#digits = 0;
    } else if (byte === COMMA) this.#values++;
    else if (byte === COLON) this.#countKey();
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      this.#parts++;
      this.#isTooDeep = ++this.#depth > this.#limits.depth;
      this.#keys[this.#depth] = 0;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth--;
  }

  #countKey(): void {
    this.#parts++;
    if (this.#digits > 0) return;
    const keys = (this.#keys[this.#depth] ?? 0) + 1;
    this.#keys[this.#depth] = keys;
    if (keys > this.#mostKeys) this.#mostKeys = keys;
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
        this.#countDigits(bytes, from, at);
        return at;
      }
    }
    // A backslash was the last byte: the next piece begins with what it escapes.
    this.#isEscaped = at > bytes.length;
    this.#countDigits(bytes, from, bytes.length);
    return bytes.length - 1;
  }

  #countDigits(bytes: Uint8Array, from: number, to: number): void {
    if (this.#digits < 0) return;
    this.#digits = this.#digits + to - from > LONGEST_ID ? -1 : this.#digits + to - from;
    for (let at = from; at < to && this.#digits > 0; at++) {
      const byte = bytes[at] ?? 0;
      if (byte < ZERO || byte > NINE) this.#digits = -1;
    }
  }
}
