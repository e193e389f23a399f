import { RequestError } from "../request-error.js";

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
  #isInString = false;
  #isEscaped = false;

  constructor(limits: JsonLimits = JSON_LIMITS) {
    this.#limits = limits;
  }

  /** Throws INVALID_REQUEST once the text exceeds a limit. Whether it is JSON is for the parser to say. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) {
      if (this.#isInString) at = this.#endOfString(bytes, at);
      else this.#count(bytes[at]);
    }
    this.#check();
  }

  #count(byte: number | undefined): void {
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === COMMA) this.#values++;
    else if (byte === COLON) this.#parts++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      this.#parts++;
      if (++this.#depth > this.#limits.depth) this.#check();
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

  #check(): void {
    const { depth, parts, values } = this.#limits;
    if (this.#depth > depth) throw tooCostly(`nests more than ${depth} levels deep; flatten it`);
    if (this.#parts > parts) throw tooCostly(`has more than ${parts} objects, lists and keys; split the request`);
    if (this.#values > values) throw tooCostly(`has more than ${values} values; split the request`);
  }
}

const tooCostly = (what: string): RequestError => new RequestError("INVALID_REQUEST", `The body ${what}.`);
