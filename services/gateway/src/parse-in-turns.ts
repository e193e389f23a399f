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
  const reader = new PieceReader(text);
  while (reader.read(piece)) await timeLeft();
  return reader.end();
}

const [QUOTE, COMMA, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'",\\[]{}'].map((sign) =>
  sign.charCodeAt(0),
) as [number, number, number, number, number, number, number];

const BYTE_ORDER_MARK = 0xfeff;
const BLANK = /^[ \t\n\r]*$/;
const COMMA_FIRST = /^[ \t\n\r]*,/;

/** A list or an object whose end has not been read. `follows`: what the last piece of it ended with. */
interface Open {
  readonly value: unknown[] | Record<string, unknown>;
  follows: "nothing" | "item" | "comma";
}

/**
 * Cuts a text at commas, each piece with the brackets that are open there, and has JSON.parse judge every piece: in
 * `[[1,2,3],{"a":4}]`, cut behind `2`, the pieces are `1,2` of a list in a list, then its `3`, then `{"a":4}`.
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
  #from = 0;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#from = this.#at = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  }

  /** Reads on to the first comma behind `length` characters. Returns false at the text's end. */
  read(length: number): boolean {
    const text = this.#text;
    const comma = this.#at + length;
    // Not a private field: this runs for every character.
    for (let at = this.#at; at < text.length; at++) {
      const sign = text.charCodeAt(at);
      if (sign === COMMA && at >= comma) {
        this.#cut(at);
        return true;
      }
      if (sign === QUOTE) {
        this.#quoted = at;
        at = endOfText(text, at);
      } else if (sign === OPEN_LIST || sign === OPEN_OBJECT) this.#begin(at);
      else if (sign === CLOSE_LIST || sign === CLOSE_OBJECT) this.#close(at, sign);
    }
    return false;
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
    for (const [index, at] of this.#begun.entries()) this.#descend(at, this.#keys[index] ?? 0);
    this.#begun.length = this.#keys.length = 0;
    const top = this.#open.at(-1);
    if (top === undefined) throw broken();
    this.#add(top, this.#take(comma));
    if (top.follows !== "item") throw broken();
    top.follows = "comma";
    this.#from = this.#at = comma + 1;
  }

  /** Into what begins at `at`; an object has it under the key whose text begins at `quoted`. */
  #descend(at: number, quoted: number): void {
    const value: Open["value"] = this.#text.charCodeAt(at) === OPEN_LIST ? [] : {};
    const top = this.#open.at(-1);
    if (top === undefined) throw broken();
    // An empty list in its place, so that JSON.parse sees whether one may be there.
    this.#add(top, `${this.#take(at)}[]`);
    if (Array.isArray(top.value)) top.value[top.value.length - 1] = value;
    else top.value[parse(this.#text.slice(quoted, endOfText(this.#text, quoted) + 1)) as string] = value;
    this.#open.push({ value, follows: "nothing" });
    this.#from = at + 1;
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

/** The index of the quote that ends the text which begins at `from`, or the end of it all. */
function endOfText(text: string, from: number): number {
  for (let at = from + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let escapes = at - 1;
    while (text.charCodeAt(escapes) === BACKSLASH) escapes--;
    if ((at - escapes) % 2 === 1) return at;
  }
}

const broken = (): SyntaxError => new SyntaxError("This is not JSON");
