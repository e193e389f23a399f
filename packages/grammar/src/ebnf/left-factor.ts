/** One element of a sequence: a text, a class, a rule's name or a group, with its repetition. */
const SYMBOL =
  /(?:"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[A-Za-z_]\w*|\((?:"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[^()"[])*\))(?:[*+?]|\{[\d,]+\})?/g;
const LETTER = /\\u[0-9a-f]{4}|\\.|[^\\]/gsu;
const isName = (symbol: string | undefined): boolean => symbol !== undefined && /^[A-Za-z_]/.test(symbol);

/** Name of a rule that matches the empty text: it keeps the engine from inlining the rule after it. */
export const NOTHING = "nothing";

/**
 * The same alternatives, rewritten so that no two begin with the same symbol; `rule` names the rests after a shared
 * one. The engine (0.1.27) merges the states after a shared beginning even where one follows from the other, and then
 * reads `"-" [1-9] [0-9] | "-" [1-9] [0-9] [0-9]` as any number of digits.
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

/** A sequence of symbols, with neighbouring texts joined. */
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
