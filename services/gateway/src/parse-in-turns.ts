import { parse } from "secure-json-parse";
import { timeLeft } from "./turns.js";

/** Characters up to which a text is parsed at once: 5 ms for token ids. */
const SHORT = 256 * 1024;
/** Characters of a longer one that are parsed natively before the event loop may turn. */
const PIECE = 64 * 1024;

/**
 * What JSON.parse makes of a text; of a long one, in turns: 199,000 keys took one of 160 ms. Throws SyntaxError for
 * what is not JSON, and for keys that would change prototypes.
 */
export async function parseInTurns(text: string, { short = SHORT, piece = PIECE } = {}): Promise<unknown> {
  if (text.length <= short) return parse(text);
  const reader = new PieceReader(text, piece);
  for (const _ of reader.read()) await timeLeft();
  return reader.end();
}

/** Why a text is not taken, to follow its name in a sentence. `error`: what parsing it threw. */
export const jsonProblem = (error: unknown): string =>
  error instanceof Error && error.message.includes("forbidden prototype")
    ? 'has the key "__proto__", or "constructor" with "prototype" in it, with which programs can be attacked; rename it'
    : "is not valid JSON; check its quotes, commas and brackets";

const [QUOTE, COMMA, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'",\\[]{}'].map((sign) =>
  sign.charCodeAt(0),
) as [number, number, number, number, number, number, number];

/** Of `\\u00e9`. */
const LONGEST_ESCAPE = 6;
const BYTE_ORDER_MARK = 0xfeff;
const BLANK = /^[ \t\n\r]*$/;
const COMMA_FIRST = /^[ \t\n\r]*,/;
const COLON_NEXT = /[ \t\n\r]*:/y;

/** A list or an object whose end has not been read. `follows`: what the last piece of it ended with. */
interface Open {
  readonly value: unknown[] | Record<string, unknown>;
  follows: "nothing" | "item" | "comma";
}

/**
 * Cuts a text at commas, each piece with the brackets that are open there, and has JSON.parse judge every piece: in
 * `[[1,2,3],{"a":4}]`, cut behind `2`, the pieces are `1,2` of a list in a list, then its `3`, then `{"a":4}`. A string
 * that is longer than a piece is cut between its characters.
 */
class PieceReader {
  readonly #text: string;
  /** The lists and objects that earlier pieces opened; the first holds the text's one value. */
  readonly #open: Open[] = [{ value: [], follows: "nothing" }];
  /** Where those begin that this piece opened, and the last text before each, its key in an object. */
  readonly #begun: number[] = [];
  readonly #keys: number[] = [];
  /** Where the last text began. */
  #quoted = 0;
  /** All before it is parsed. */
  #from: number;
  readonly #piece: number;

  constructor(text: string, piece: number) {
    this.#text = text;
    this.#piece = piece;
    this.#from = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  }

  /** Reads all, and yields behind each piece. */
  *read(): Generator<void, void, void> {
    const text = this.#text;
    const piece = this.#piece;
    let comma = this.#from + piece;
    // Not a private field: this runs for every character.
    for (let at = this.#from; at < text.length; at++) {
      const sign = text.charCodeAt(at);
      if (sign === COMMA && at >= comma) {
        this.#cut(at);
        comma = at + 1 + piece;
        yield;
      } else if (sign === QUOTE) {
        const end = endOfText(text, at, at + piece);
        if (end === undefined) {
          at = yield* this.#readLong(at);
          comma = at + piece;
        } else {
          this.#quoted = at;
          at = end;
        }
      } else if (sign === OPEN_LIST || sign === OPEN_OBJECT) this.#begin(at);
      else if (sign === CLOSE_LIST || sign === CLOSE_OBJECT) this.#close(at, sign);
    }
  }

  /** Reads a string that is longer than a piece. Returns the index of the quote that ends it. */
  *#readLong(from: number): Generator<void, number, void> {
    const text = this.#text;
    const parts: string[] = [];
    let [at, quote] = [from + 1, 0];
    for (let end: number | undefined; end === undefined; ) {
      const most = at + this.#piece;
      if (quote < at) quote = text.indexOf('"', at);
      if (quote < most) end = endOfText(text, at - 1, most);
      const to = end ?? outsideEscape(text, at, most);
      parts.push(parse(`"${text.slice(at, to)}"`) as string);
      at = to;
      yield;
    }
    this.#endLong(from, at, parts);
    return at;
  }

  #endLong(from: number, end: number, parts: readonly string[]): void {
    COLON_NEXT.lastIndex = end + 1;
    // A key stays in its piece.
    if (!COLON_NEXT.test(this.#text)) {
      this.#descendAll();
      this.#put(from, this.#quoted, parts.join(""));
      this.#from = end + 1;
    }
    this.#quoted = from;
  }

  end(): unknown {
    const [all] = this.#open;
    if (all === undefined || this.#open.length + this.#begun.length > 1) throw broken();
    this.#add(all, this.#take(this.#text.length));
    const values = all.value as unknown[];
    if (all.follows === "comma" || values.length !== 1) throw broken();
    return values[0];
  }

  #begin(at: number): void {
    this.#begun.push(at);
    this.#keys.push(this.#quoted);
  }

  #close(at: number, sign: number): void {
    if (this.#begun.pop() !== undefined) return void this.#keys.pop();
    const top = this.#open.pop();
    const above = this.#open.at(-1);
    if (top === undefined || above === undefined || Array.isArray(top.value) !== (sign === CLOSE_LIST)) throw broken();
    this.#add(top, this.#take(at));
    if (top.follows === "comma") throw broken();
    this.#from = at + 1;
    above.follows = "item";
  }

  #cut(comma: number): void {
    this.#descendAll();
    const top = this.#open.at(-1);
    if (top === undefined) throw broken();
    this.#add(top, this.#take(comma));
    if (top.follows !== "item") throw broken();
    top.follows = "comma";
    this.#from = comma + 1;
  }

  /** Into all that this piece opened. */
  #descendAll(): void {
    for (const [index, at] of this.#begun.entries()) {
      const value: Open["value"] = this.#text.charCodeAt(at) === OPEN_LIST ? [] : {};
      this.#put(at, this.#keys[index] ?? 0, value);
      this.#open.push({ value, follows: "nothing" });
      this.#from = at + 1;
    }
    this.#begun.length = this.#keys.length = 0;
  }

  /** Puts in its place what begins at `at`; an object has it under the key whose text begins at `quoted`. */
  #put(at: number, quoted: number, value: unknown): void {
    const top = this.#open.at(-1);
    if (top === undefined) throw broken();
    // An empty list in its place, so that JSON.parse sees whether one may be there.
    this.#add(top, `${this.#take(at)}[]`);
    if (Array.isArray(top.value)) top.value[top.value.length - 1] = value;
    else top.value[parse(this.#text.slice(quoted, (endOfText(this.#text, quoted) ?? quoted) + 1)) as string] = value;
  }

  #take(to: number): string {
    return this.#text.slice(this.#from, to);
  }

  /** The items that `text` has of a list or object. */
  #add(open: Open, text: string): void {
    if (BLANK.test(text)) return;
    const isFollowing = open.follows === "item";
    if (isFollowing && !COMMA_FIRST.test(text)) throw broken();
    const items = isFollowing ? text.replace(COMMA_FIRST, "") : text;
    if (BLANK.test(items)) {
      open.follows = "comma";
      return;
    }
    if (Array.isArray(open.value)) for (const item of parse(`[${items}]`) as unknown[]) open.value.push(item);
    else Object.assign(open.value, parse(`{${items}}`));
    open.follows = "item";
  }
}

/** The index of the quote that ends the text which begins behind `from`; undefined if that is not before `most`. */
function endOfText(text: string, from: number, most = text.length): number | undefined {
  for (let at = from + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) throw broken();
    if (at >= most) return undefined;
    let escapes = at - 1;
    while (text.charCodeAt(escapes) === BACKSLASH) escapes--;
    if ((at - escapes) % 2 === 1) return at;
  }
}

/** `to`, or where the escape begins that would be cut there, or ends where `from` is its beginning. */
function outsideEscape(text: string, from: number, to: number): number {
  let begin = to - 1;
  while (begin > to - LONGEST_ESCAPE && text.charCodeAt(begin) !== BACKSLASH) begin--;
  let before = begin;
  while (before >= from && text.charCodeAt(before) === BACKSLASH) before--;
  const end = begin + (text[begin + 1] === "u" ? LONGEST_ESCAPE : 2);
  const isCut = (begin - before) % 2 === 1 && end > to;
  if (!isCut) return to;
  return begin > from ? begin : end;
}

const broken = (): SyntaxError => new SyntaxError("This is not JSON");
