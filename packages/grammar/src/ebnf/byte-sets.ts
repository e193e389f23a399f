/** Ranges of bytes, both ends included. */
export type ByteSet = readonly (readonly [first: number, last: number])[];

const LETTER = /\\x[0-9a-fA-F]+|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|[^\\]/gsu;
const ESCAPED: Readonly<Record<string, number>> = {
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  b: 0x08,
  f: 0x0c,
  v: 0x0b,
  a: 0x07,
  0: 0,
};

/** The code points of the inside of a text or a class of EBNF, and which of them are escaped. */
function lettersOf(inside: string): readonly { readonly code: number; readonly isEscaped: boolean }[] {
  return Array.from(inside.matchAll(LETTER), ([letter]) => ({ code: codeOf(letter), isEscaped: letter.length > 1 }));
}

function codeOf(letter: string): number {
  if (!letter.startsWith("\\")) return letter.codePointAt(0) ?? 0;
  if (/^\\[xuU]/.test(letter)) return Number.parseInt(letter.slice(2), 16);
  return ESCAPED[letter.slice(1)] ?? letter.codePointAt(1) ?? 0;
}

/** The bytes of a text such as "a\n". */
export const bytesOfText = (source: string): Uint8Array =>
  Buffer.from(
    lettersOf(source.slice(1, -1))
      .map(({ code }) => String.fromCodePoint(Math.min(code, 0x10ffff)))
      .join(""),
  );

/** Any character above ASCII, as UTF-8. */
const WIDE: readonly (readonly ByteSet[])[] = [
  [[[0xc2, 0xdf]], [[0x80, 0xbf]]],
  [[[0xe0, 0xef]], [[0x80, 0xbf]], [[0x80, 0xbf]]],
  [[[0xf0, 0xf4]], [[0x80, 0xbf]], [[0x80, 0xbf]], [[0x80, 0xbf]]],
];

/**
 * The sequences of bytes that a class such as [a-z] or [^"] matches. A positive class is one byte, as the engine reads
 * it. A negative one is any other character; of those above ASCII, all.
 */
export function sequencesOfClass(source: string): readonly (readonly ByteSet[])[] {
  const isNegative = source.startsWith("[^");
  const ranges = rangesOf(source.slice(isNegative ? 2 : 1, -1));
  if (!isNegative) return [[joined(ranges)]];
  const ascii = gapsBelow(0x80, ranges);
  return [...(ascii.length === 0 ? [] : [[ascii]]), ...WIDE];
}

function rangesOf(inside: string): ByteSet {
  const letters = lettersOf(inside);
  const ranges: (readonly [number, number])[] = [];
  for (let at = 0; at < letters.length; at++) {
    const [first, dash, last] = letters.slice(at, at + 3);
    const isRange = dash?.code === 0x2d && !dash.isEscaped && last !== undefined;
    ranges.push([first?.code ?? 0, (isRange ? last.code : first?.code) ?? 0]);
    if (isRange) at += 2;
  }
  return ranges;
}

/** Sorted, without overlaps: our grammars name a byte twice where it is alone in its class. */
function joined(ranges: ByteSet): ByteSet {
  const all: (readonly [number, number])[] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const before = all.at(-1);
    if (before === undefined || first > before[1] + 1) all.push([first, last]);
    else all[all.length - 1] = [before[0], Math.max(before[1], last)];
  }
  return all;
}

/** The bytes below `end` that are in none of the ranges. */
function gapsBelow(end: number, ranges: ByteSet): ByteSet {
  const gaps: (readonly [number, number])[] = [];
  let next = 0;
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    if (first > next) gaps.push([next, Math.min(first, end) - 1]);
    next = Math.max(next, last + 1);
  }
  if (next < end) gaps.push([next, end - 1]);
  return gaps.filter(([first, last]) => first <= last && first < end);
}

export const hasByte = (set: ByteSet, byte: number): boolean =>
  set.some(([first, last]) => byte >= first && byte <= last);

export function* bytesIn(set: ByteSet): Generator<number, void> {
  for (const [first, last] of set) for (let byte = first; byte <= last; byte++) yield byte;
}
