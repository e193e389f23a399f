/** One thing that stands in a sequence: a text, a class, a rule's name or a group, with its repetition. */
const SYMBOL =
  /(?:"(?:[^"\\]|\\x[0-9a-f]{2}|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[A-Za-z_]\w*|\((?:"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[^()"[])*\))(?:[*+?]|\{[\d,]+\})?/g;
const LETTER = /\\x[0-9a-f]{2}|\\.|[^\\]/gsu;
const isName = (symbol: string | undefined): boolean => symbol !== undefined && /^[A-Za-z_]/.test(symbol);

/** Matches nothing at all: keeps the engine from putting a rule's body where its name stands. */
export const NOTHING = "nothing";

/**
 * The same alternatives, so that no two begin with the same symbol; `rule` names what follows a shared one. The engine (0.1.27)
 * merges states that alternatives with one beginning lead to even where one follows from the other, and then takes
 * `"-" [1-9] [0-9] | "-" [1-9] [0-9] [0-9]` for any number of digits.
 */
export function leftFactor(alternatives: readonly string[], rule: (rests: readonly string[]) => string): string[] {
  const groups = new Map<string, string[][]>();
  for (const alternative of alternatives) {
    const [first = '""', ...rest] = symbolsOf(alternative);
    groups.set(first, [...(groups.get(first) ?? []), rest]);
  }
  return [...groups].map(([first, rests]) => {
    const guard = isName(first) && groups.size > 1 ? [NOTHING] : [];
    const texts = [...new Set(rests.map((rest) => join(rest)))];
    const [only] = texts;
    return join([...guard, first, texts.length === 1 ? (only ?? "") : rule(texts)]);
  });
}

function symbolsOf(alternative: string): string[] {
  return Array.from(alternative.matchAll(SYMBOL), ([symbol]) => symbol).flatMap((symbol) =>
    symbol.endsWith('"') && symbol !== '""'
      ? Array.from(symbol.slice(1, -1).matchAll(LETTER), ([letter]) => `"${letter}"`)
      : [symbol],
  );
}

/** Symbols in a row; neighbouring texts become one. */
function join(symbols: readonly string[]): string {
  const joined: string[] = [];
  for (const symbol of symbols) {
    if (symbol === "" || symbol === '""') continue;
    const previous = joined.at(-1);
    const merges =
      previous?.startsWith('"') && previous.endsWith('"') && symbol.startsWith('"') && symbol.endsWith('"');
    if (merges && previous !== undefined) joined[joined.length - 1] = `${previous.slice(0, -1)}${symbol.slice(1)}`;
    else joined.push(symbol);
  }
  return joined.length === 0 ? '""' : joined.join(" ");
}
