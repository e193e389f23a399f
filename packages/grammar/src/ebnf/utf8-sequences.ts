import { type CodePoints, intersection } from "./code-points.js";

/** One range of bytes for each place of a UTF-8 sequence. */
type ByteRanges = readonly (readonly [first: number, last: number])[];

/** The sequences of bytes that encode a set above ASCII: U+80 to U+7FF is `[c2-df] [80-bf]`. */
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

/** Cuts a range where its sequences stop being all combinations of one range per byte. */
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
