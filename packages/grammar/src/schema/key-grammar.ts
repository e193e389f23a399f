import { characters } from "../ebnf/characters.js";
import { difference, single } from "../ebnf/code-points.js";
import { literal, type RuleBook } from "../ebnf/rule-book.js";

/** Characters of further keys: printable ASCII without escapes, so that no key has two spellings. */
const LETTERS = difference([[0x20, 0x7e]], [...single(0x22), ...single(0x5c)]);

/** A property's name as JSON. */
export const keyLiteral = (name: string): string => literal(JSON.stringify(name));

/**
 * Any key except `names`: a property must not come a second time, with a value that its own schema forbids. Where a
 * key differs from all names, a rule ends and one for the rest begins: the engine compiles that in less than half of
 * the time for a rule that goes on.
 */
export function otherKey(book: RuleBook, names: readonly string[]): string {
  const cutShort = cut(book, names, "");
  const differing = `${beginning(book, names, "")} ${free(book)}`;
  return `"\\"" ${book.rule([differing, ...(cutShort === undefined ? [] : [cutShort])])}`;
}

/** The rest, up to the letter that tells it from all, of a key that begins with `prefix`, as some names do. */
function beginning(book: RuleBook, names: readonly string[], prefix: string): string {
  const shared = nextLetters(names, prefix).filter(isPlain);
  const others = difference(
    LETTERS,
    shared.flatMap((letter) => single(letter.codePointAt(0) ?? 0)),
  );
  const differing = others.length === 0 ? [] : characters({ book, writing: "plain" }, others, '""');
  const following = shared.map((letter) => {
    return `${literal(letter)} ${beginning(book, rivals(names, prefix + letter), prefix + letter)}`;
  });
  return book.rule([...differing, ...following]);
}

/** The rest of a key that begins with `prefix` and is the beginning of a name; undefined when there is none. */
function cut(book: RuleBook, names: readonly string[], prefix: string): string | undefined {
  const isName = names.includes(prefix);
  const letters = nextLetters(names, prefix).filter(isPlain);
  const longer = letters.flatMap((letter) => {
    const rest = cut(book, rivals(names, prefix + letter), prefix + letter);
    return rest === undefined ? [] : [`${literal(letter)} ${rest}`];
  });
  const ways = [...(isName ? [] : ['"\\""']), ...longer];
  return ways.length === 0 ? undefined : book.rule(ways);
}

const rivals = (names: readonly string[], prefix: string) => names.filter((name) => name.startsWith(prefix));

/** The letters that follow `prefix` in the names that all begin with it. */
const nextLetters = (names: readonly string[], prefix: string): readonly string[] => [
  ...new Set(names.flatMap((name) => Array.from(name.slice(prefix.length))[0] ?? [])),
];

function isPlain(letter: string): boolean {
  const code = letter.codePointAt(0) ?? 0;
  return LETTERS.some(([first, last]) => code >= first && code <= last);
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
