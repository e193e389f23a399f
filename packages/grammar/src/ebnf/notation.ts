const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** A text as an EBNF literal; "" is the empty text. Half a surrogate pair counts as U+FFFD. */
export function literal(text: string): string {
  const letters = Array.from(Buffer.from(text).toString(), (letter: string) => {
    const code = letter.codePointAt(0) ?? 0;
    if (letter === '"' || letter === "\\") return `\\${letter}`;
    return code >= 0x20 && code !== 0x7f ? letter : `\\x${hex(code, 2)}`;
  });
  return `"${letters.join("")}"`;
}

/**
 * One byte out of ranges: the engine takes positive classes up to ff byte by byte. It makes a class of one element a text, which
 * above ASCII is another byte sequence; named twice, a byte stays a class.
 */
export function byteClass(ranges: readonly (readonly [first: number, last: number])[]): string {
  const one = (byte: number): string => `\\x${hex(byte, 2)}`;
  const parts = ranges.map(([first, last]) => (first === last ? one(first) : `${one(first)}-${one(last)}`));
  const [first, last] = ranges[0] ?? [0, 0];
  return `[${ranges.length === 1 && first === last ? one(first) : ""}${parts.join("")}]`;
}
