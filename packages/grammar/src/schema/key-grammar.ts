import { characters } from "../ebnf/characters.js";
import { difference, single } from "../ebnf/code-points.js";
import { literal, type RuleBook } from "../ebnf/rule-book.js";

/** Characters of further keys: printable ASCII without escapes, so that no key has two spellings. */
const LETTERS = difference([[0x20, 0x7e]], [...single(0x22), ...single(0x5c)]);

/** A property's name as JSON. */
export const keyLiteral = (name: string): string => literal(JSON.stringify(name));

/** Any key except `names`: a property must not come a second time, with a value that its own schema forbids. */
export function otherKey(book: RuleBook, names: readonly string[]): string {
  return `"\\"" ${otherThan(book, names, "")}`;
}

/** The rest of a key that begins with `prefix` and is none of `names`. */
function otherThan(book: RuleBook, names: readonly string[], prefix: string): string {
  const rivals = names.filter((name) => name.startsWith(prefix));
  if (rivals.length === 0) return free(book);
  const letters = new Set(rivals.flatMap((name) => Array.from(name.slice(prefix.length))[0] ?? []));
  const shared = [...letters].filter((letter) => LETTERS.some(([a, b]) => inside(letter, a, b)));
  const others = difference(
    LETTERS,
    shared.flatMap((letter) => single(letter.codePointAt(0) ?? 0)),
  );
  const end = rivals.includes(prefix) ? [] : ['"\\""'];
  const diverging = others.length === 0 ? [] : characters({ book, writing: "plain" }, others, free(book));
  const following = shared.map((letter) => `${literal(letter)} ${otherThan(book, rivals, prefix + letter)}`);
  return book.rule([...end, ...diverging, ...following]);
}

function inside(letter: string, first: number, last: number): boolean {
  const code = letter.codePointAt(0) ?? 0;
  return code >= first && code <= last;
}

const FREE = new WeakMap<RuleBook, string>();

function free(book: RuleBook): string {
  const known = FREE.get(book);
  if (known !== undefined) return known;
  const name = book.reserve();
  book.define(name, ['"\\""', ...characters({ book, writing: "plain" }, LETTERS, name)]);
  FREE.set(book, name);
  return name;
}
