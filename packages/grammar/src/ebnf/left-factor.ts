/** One element of a sequence: a text, a class, a rule's name or a group, with its repetition. */
const SYMBOL =
  /(?:"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[A-Za-z_]\w*|\((?:"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[^()"[])*\))(?:[*+?]|\{[\d,]+\})?/g;
const LETTER = /\\u[0-9a-f]{4}|\\.|[^\\]/gsu;
const isName = (symbol: string | undefined): boolean => symbol !== undefined && /^[A-Za-z_]/.test(symbol);

/** Name of a rule that matches the empty text: it keeps the engine from inlining the rule after it. */
export const NOTHING = "nothing";
const EMPTY = '""';

/**
 * The same alternatives, rewritten so that no two begin with the same symbol; `rule` names the rests after what they
 * share, which begin differently already. The engine (0.1.27) merges the states after a shared beginning even where one
 * follows from the other, and then reads `"-" [1-9] [0-9] | "-" [1-9] [0-9] [0-9]` as any number of digits. Linear in
 * the symbols of all alternatives.
 */
export function leftFactor(alternatives: readonly string[], rule: (rests: readonly string[]) => string): string[] {
  return factored(alternatives.map(symbolsOf), 0, rule);
}

type Symbols = readonly string[];

/** Factors what follows the first `at` symbols. */
function factored(lists: readonly Symbols[], at: number, rule: (rests: readonly string[]) => string): string[] {
  const groups = new Map<string, Symbols[]>();
  for (const list of lists) {
    const first = list[at] ?? EMPTY;
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [list]);
    else group.push(list);
  }
  return [...groups].map(([first, group]) => {
    const guard = isName(first) && groups.size > 1 ? [NOTHING] : [];
    const [one = [], ...others] = group;
    const end = endOfShared(one, others, at + 1);
    const isWhole = others.every((list) => list.length <= end) && one.length <= end;
    const rests = isWhole ? [] : [rule(factored(group, end, rule))];
    return join([...guard, ...one.slice(at, end), ...rests]);
  });
}

/** The first place from `from` on where the lists differ or all end. */
function endOfShared(one: Symbols, others: readonly Symbols[], from: number): number {
  let end = from;
  while (end < one.length && others.every((list) => list[end] === one[end])) end++;
  return end;
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
