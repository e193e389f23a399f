import { type CodePoints, contains, difference, intersection, union } from "./code-points.js";
import { byteClass } from "./notation.js";
import type { RuleBook } from "./rule-book.js";
import { utf8Sequences } from "./utf8-sequences.js";

/** How a character is written: as it is, or within a JSON string. */
export type Writing = "plain" | "json";

const ASCII: CodePoints = [[0, 0x7f]];
/** What a JSON string must escape. */
const ESCAPED: CodePoints = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];
const SHORT_ESCAPES = new Map([
  [0x22, '"'],
  [0x5c, "\\"],
  [0x08, "b"],
  [0x0c, "f"],
  [0x0a, "n"],
  [0x0d, "r"],
  [0x09, "t"],
]);

/** Every way to write one character of `set`, each followed by `then`. */
export function characters(book: RuleBook, set: CodePoints, writing: Writing, then: string): string[] {
  const raw = writing === "json" ? difference(set, ESCAPED) : set;
  const ascii = intersection(raw, ASCII);
  const wide = utf8Sequences(difference(raw, ASCII)).map((bytes) => bytes.map((range) => byteClass([range])).join(" "));
  return [
    ...(ascii.length === 0 ? [] : [`${byteClass(ascii)} ${then}`]),
    ...(wide.length === 0 ? [] : [`${book.rule(wide)} ${then}`]),
    ...(writing === "json" ? escapes(book, intersection(set, ESCAPED), then) : []),
  ];
}

function escapes(book: RuleBook, set: CodePoints, then: string): string[] {
  if (set.length === 0) return [];
  const short = [...SHORT_ESCAPES].filter(([code]) => contains(set, code));
  const shortClass = byteClass(union(short.map(([, letter]) => [letter.charCodeAt(0), letter.charCodeAt(0)] as const)));
  const long = difference(set, union(short.map(([code]) => [code, code] as const)));
  const longs = long.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => `"u${(first + i).toString(16).padStart(4, "0")}"`),
  );
  const all = [...(short.length === 0 ? [] : [shortClass]), ...longs];
  return [`"\\\\" ${book.rule(all)} ${then}`];
}
