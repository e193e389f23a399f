import { type Expression, parseEbnf } from "./parse-ebnf.js";

/**
 * No fewer bytes than the shortest text of the grammar has, as far as its texts go: escapes count as they are written, repetitions
 * `{n}` once. Each token adds a byte or more, so this many tokens are enough. Infinity when it has no finite text.
 */
export function shortestText(source: string): number {
  const rules = [...parseEbnf(source)].reverse();
  const lengths = new Map<string, number>();
  // Rules mostly refer to those before them or behind them: passes in both directions settle in a few.
  for (let changed = true; changed; rules.reverse()) {
    changed = false;
    for (const [name, rule] of rules) {
      const length = lengthOf(rule, lengths);
      if (length >= (lengths.get(name) ?? Number.POSITIVE_INFINITY)) continue;
      lengths.set(name, length);
      changed = true;
    }
  }
  return lengths.get("root") ?? Number.POSITIVE_INFINITY;
}

function lengthOf(expression: Expression, lengths: ReadonlyMap<string, number>): number {
  switch (expression.kind) {
    case "text":
      return expression.bytes;
    case "optional":
      return 0;
    case "rule":
      return lengths.get(expression.name) ?? Number.POSITIVE_INFINITY;
    case "sequence":
      return expression.parts.reduce((sum, part) => sum + lengthOf(part, lengths), 0);
    case "choice":
      return Math.min(...expression.parts.map((part) => lengthOf(part, lengths)));
  }
}
