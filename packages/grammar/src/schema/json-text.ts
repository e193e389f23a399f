import { characters } from "../ebnf/characters.js";
import { MAX_EBNF } from "../ebnf/check-ebnf.js";
import { ALL_CODE_POINTS, difference } from "../ebnf/code-points.js";
import { repeat } from "../ebnf/repeat.js";
import { RuleBook } from "../ebnf/rule-book.js";
import { TooLarge, Unenforceable } from "../refusals.js";
import { regexGrammar, searchGrammar } from "../regex/regex-grammar.js";

/** At most 15 digits, which a double holds exactly, and exponents of two digits, which never overflow. */
export const NUMBER = '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [+-]? [0-9]{1,2})?';
export const INTEGER = '"-"? ("0" | [1-9] [0-9]{0,14})';

/**
 * Characters of strings. Lengths count code points, so none may come as two escapes; control characters are left out.
 */
const LETTERS = difference(ALL_CODE_POINTS, [
  [0x00, 0x07],
  [0x0b, 0x0b],
  [0x0e, 0x1f],
  [0x7f, 0x9f],
]);

/** White space: at most one space after a comma or colon, or exactly as Python's json.dumps writes it. */
export type Layout = "free" | "python";

/** The rules of JSON that all schemas share, written once into one book. */
export class JsonText {
  readonly book: RuleBook;
  readonly comma: string;
  readonly colon: string;
  readonly #strings = new Map<string, string>();
  #value: string | undefined;
  #object: string | undefined;

  constructor(book: RuleBook, layout: Layout) {
    this.book = book;
    this.comma = layout === "python" ? '", "' : '"," [ ]?';
    this.colon = layout === "python" ? '": "' : '":" [ ]?';
  }

  /** A string of `min` to `max` characters. */
  string(min = 0, max?: number): string {
    const key = `${min} to ${max} characters`;
    const known = this.#strings.get(key);
    if (known !== undefined) return known;
    const element = (then: string) => characters({ book: this.book, writing: "json" }, LETTERS, then);
    const text = `"\\"" ${this.book.reference(repeat(this.book, { min, max, element }, '"\\""'))}`;
    this.#strings.set(key, text);
    return text;
  }

  /** A string that a regular expression matches from beginning to end. Throws as regexGrammar does. */
  matching(regex: string): string {
    const known = this.#strings.get(regex);
    if (known !== undefined) return known;
    const rest = regexGrammar({ book: this.book, writing: "json" }, regex, '"\\""');
    const text = `"\\"" ${this.book.reference(rest)}`;
    this.#strings.set(regex, text);
    return text;
  }

  /** A string that contains a match of a regular expression, where its anchors allow. Throws as regexGrammar does. */
  containing(regex: string): string {
    const key = `contains ${regex}`;
    const known = this.#strings.get(key);
    if (known !== undefined) return known;
    checkPattern(regex);
    const context = { book: this.book, writing: "json", any: LETTERS } as const;
    const text = `"\\"" ${this.book.reference(searchGrammar(context, regex, '"\\""'))}`;
    this.#strings.set(key, text);
    return text;
  }

  /** Any value. */
  value(): string {
    if (this.#value !== undefined) return this.#value;
    this.#value = this.book.reserve();
    const scalars = [this.string(), this.book.rule([NUMBER]), '"true"', '"false"', '"null"'];
    this.book.define(this.#value, [...scalars, this.array(this.#value), this.object()]);
    return this.#value;
  }

  /** Any object. */
  object(): string {
    if (this.#object !== undefined) return this.#object;
    this.#object = this.book.reserve();
    this.book.define(this.#object, [this.map(this.string(), this.value())]);
    return this.#object;
  }

  array(item: string): string {
    const rest = this.book.reserve();
    this.book.define(rest, ['"]"', `${this.comma} ${item} ${rest}`]);
    return `"[" ${this.book.rule(['"]"', `${item} ${rest}`])}`;
  }

  map(key: string, value: string): string {
    const rest = this.book.reserve();
    const entry = `${key} ${this.colon} ${value} ${rest}`;
    this.book.define(rest, ['"}"', `${this.comma} ${entry}`]);
    return `"{" ${this.book.rule(['"}"', entry])}`;
  }
}

/** Most characters of one pattern's grammar. */
const MOST_PATTERN = MAX_EBNF / 2;

/** Throws Unenforceable for a pattern that would fill the book, with all that is to come, and as searchGrammar does. */
function checkPattern(regex: string): void {
  try {
    searchGrammar({ book: new RuleBook(MOST_PATTERN), writing: "json", any: LETTERS }, regex, '"\\""');
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    throw new Unenforceable("", `has a pattern that ${error.message}`);
  }
}
