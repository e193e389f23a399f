import { StringDecoder } from "node:string_decoder";
import { setImmediate as turn } from "node:timers/promises";
import { Utf8Check } from "../utf8-check.js";

export interface TextLine {
  /** From 1. */
  readonly number: number;
  /** null: longer than the limit, or not UTF-8. */
  readonly text: string | null;
  /** Why there is no text, unless it is too long. */
  readonly isUtf8?: false;
}

const NEWLINE = 10;

/** Lines are read and used for this long before the event loop gets a turn. */
const MOST_MS = 10;

/**
 * The lines of a text that arrives in pieces. Blank lines are counted but not yielded. Holds at most one piece and
 * `mostBytes` of a line. The event loop turns in between, however many lines a piece has. The text may begin with a
 * byte order mark, lines may end with CR LF, and the last line need not end.
 */
export async function* readLines(source: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<TextLine> {
  const line = new GrowingLine(mostBytes);
  let number = 0;
  let turnedAt = performance.now();
  for await (const piece of source) {
    let from = 0;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, from)) {
      line.push(piece.subarray(from, at));
      const read = line.take(++number === 1);
      if (read.text !== "") yield { number, ...read };
      from = at + 1;
      if (performance.now() - turnedAt < MOST_MS) continue;
      await turn();
      turnedAt = performance.now();
    }
    line.push(piece.subarray(from));
  }
  const read = line.take(++number === 1);
  if (read.text !== "") yield { number, ...read };
}

/** A line whose end has not arrived. Becomes text as it arrives: 7 MB at its end were a turn of 50 ms. */
class GrowingLine {
  readonly #mostBytes: number;
  readonly #decoder = new StringDecoder("utf8");
  readonly #utf8 = new Utf8Check();
  #isUtf8 = true;
  #texts: string[] = [];
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  push(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#mostBytes) this.#texts = [];
    else if (bytes.length > 0) {
      this.#isUtf8 = this.#utf8.push(bytes) && this.#isUtf8;
      this.#texts.push(this.#decoder.write(bytes));
    }
  }

  /** Ends the line, and trims it. */
  take(isFirst: boolean): Omit<TextLine, "number"> {
    const text = this.#texts.join("") + this.#decoder.end();
    const isUtf8 = this.#utf8.end() && this.#isUtf8;
    const isLong = this.#bytes > this.#mostBytes;
    this.#texts = [];
    this.#bytes = 0;
    this.#isUtf8 = true;
    if (isLong) return { text: null };
    return isUtf8 ? { text: (isFirst ? text.replace(/^\ufeff/, "") : text).trim() } : { text: null, isUtf8 };
  }
}
