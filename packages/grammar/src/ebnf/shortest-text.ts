import { type Expression, parseEbnf } from "./parse-ebnf.js";

/**
 * About the bytes of the grammar's shortest text: escapes count as written, which is too many, and repetitions `{n}`
 * once, which is too few. Each token adds at least a byte, so this many tokens suffice. Infinity when no text is
 * finite.
 */
export function shortestText(source: string): number {
  const rules = [...parseEbnf(source)].reverse();
  const lengths = new Map<string, number>();
  // Rules mostly refer to neighbours before or after them, so a few passes in both directions suffice.
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
