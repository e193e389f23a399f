import { type CodePoints, contains, difference, intersection, union } from "./code-points.js";
import type { RuleBook } from "./rule-book.js";

/** Where the rules of characters are collected, and how a character is written. */
export interface CharacterContext {
  readonly book: RuleBook;
  /** As it is, or within a JSON string. */
  readonly writing: "plain" | "json";
}

const ASCII: CodePoints = [[0, 0x7f]];
/** Characters that a JSON string must escape. */
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

/**
 * Most UTF-8 sequences that are written in place; more get a rule of their own. In place, any letter has 9. The engine
 * compiles strings in half of the time and masks them five times as fast as with a rule, since what follows a rule is
 * worked out again at each mask.
 */
const INLINE_SEQUENCES = 12;

/** Every way to write one character of `set`, each followed by `then`. */
export function characters(context: CharacterContext, set: CodePoints, then: string): string[] {
  return formsOf(context, set).map((form) => `${form} ${then}`);
}

/** The ways to write one character of each set that a book has asked for, by `writing`. */
const KNOWN = new WeakMap<RuleBook, Record<CharacterContext["writing"], WeakMap<CodePoints, readonly string[]>>>();

function formsOf(context: CharacterContext, set: CodePoints): readonly string[] {
  const { book, writing } = context;
  const known = KNOWN.get(book) ?? { plain: new WeakMap(), json: new WeakMap() };
  KNOWN.set(book, known);
  const forms = known[writing].get(set) ?? writtenForms(context, set);
  known[writing].set(set, forms);
  return forms;
}

function writtenForms({ book, writing }: CharacterContext, set: CodePoints): readonly string[] {
  const raw = writing === "json" ? difference(set, ESCAPED) : set;
  const ascii = intersection(raw, ASCII);
  const wide = utf8Sequences(difference(raw, ASCII)).map((bytes) => bytes.map((range) => byteClass([range])).join(" "));
  return [
    ...(ascii.length === 0 ? [] : [byteClass(ascii)]),
    ...(wide.length > INLINE_SEQUENCES ? [book.rule(wide)] : wide),
    ...(writing === "json" ? escapes(book, intersection(set, ESCAPED)) : []),
  ];
}

function escapes(book: RuleBook, set: CodePoints): string[] {
  if (set.length === 0) return [];
  const short = [...SHORT_ESCAPES].filter(([code]) => contains(set, code));
  const shortClass = byteClass(union(short.map(([, letter]) => [letter.charCodeAt(0), letter.charCodeAt(0)] as const)));
  const long = difference(set, union(short.map(([code]) => [code, code] as const)));
  const longs = long.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => `"u${(first + i).toString(16).padStart(4, "0")}"`),
  );
  const all = [...(short.length === 0 ? [] : [shortClass]), ...longs];
  return [`"\\\\" ${book.rule(all)}`];
}

/** Ranges of one byte each, both ends included. */
type ByteRanges = readonly (readonly [first: number, last: number])[];

/**
 * One byte out of `ranges`. The engine reads a positive class byte by byte up to ff. It turns a class of one element
 * into a text, which above ASCII would be two bytes; a byte that is named twice stays a class.
 */
function byteClass(ranges: ByteRanges): string {
  const one = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
  const parts = ranges.map(([first, last]) => (first === last ? one(first) : `${one(first)}-${one(last)}`));
  const [first, last] = ranges[0] ?? [0, 0];
  return `[${ranges.length === 1 && first === last ? one(first) : ""}${parts.join("")}]`;
}

/** The UTF-8 sequences of a set above ASCII, as one range per byte: U+80 to U+7FF is `[c2-df] [80-bf]`. */
export function utf8Sequences(set: CodePoints): readonly ByteRanges[] {
  return LENGTHS.flatMap(([first, last, length]) =>
    intersection(set, [[first, last]]).flatMap(([low, high]) => split(low, high, length)),
  );
}

const LENGTHS = [
  [0x80, 0x7ff, 2],
  [0x800, 0xffff, 3],
  [0x10000, 0x10ffff, 4],
] as const;

/** Cuts a range wherever its sequences are no longer all combinations of one range per byte. */
function split(low: number, high: number, length: number): readonly ByteRanges[] {
  for (let place = 1; place < length; place++) {
    const mask = (1 << (6 * place)) - 1;
    if ((low & ~mask) === (high & ~mask)) continue;
    if ((low & mask) !== 0) return [...split(low, low | mask, length), ...split((low | mask) + 1, high, length)];
    if ((high & mask) !== mask)
      return [...split(low, (high & ~mask) - 1, length), ...split(high & ~mask, high, length)];
  }
  const [from, to] = [encode(low), encode(high)];
  return [from.map((byte, i) => [byte, to[i] ?? byte] as const)];
}

const encode = (codePoint: number): number[] => [...Buffer.from(String.fromCodePoint(codePoint), "utf8")];
