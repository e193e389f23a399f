import { RhoneError } from "@rhone/common";
import { type Expression, parseEbnf } from "./parse-ebnf.js";

/** Most characters in a grammar. */
export const MAX_EBNF = 128 * 1024;

/**
 * Throws INVALID_REQUEST unless the text is a grammar with a rule `root` and every rule can end. The engine accepts
 * rules that never end, but a text that begins one could not be finished.
 */
export function checkEbnf(source: string): void {
  if (source.length > MAX_EBNF) fail(`is too large: it has ${source.length} characters; the limit is ${MAX_EBNF}`);
  const rules = parseEbnf(source);
  if (!rules.has("root")) fail("has no rule named root");
  for (const rule of rules.values())
    for (const name of namesIn(rule)) if (!rules.has(name)) fail(`has no rule named ${name}`);
  const endless = endlessRules(rules);
  if (endless.length > 0)
    fail(`cannot be satisfied: ${endless.length === rules.size ? "it" : "a part of it"} contains itself without end`);
}

function fail(why: string): never {
  throw new RhoneError("INVALID_REQUEST", why);
}

function namesIn(expression: Expression): readonly string[] {
  switch (expression.kind) {
    case "text":
      return [];
    case "rule":
      return [expression.name];
    case "optional":
      return namesIn(expression.of);
    default:
      return expression.parts.flatMap(namesIn);
  }
}

/** Rules without a finite text: those left when no further rule is found to end. */
function endlessRules(rules: ReadonlyMap<string, Expression>): readonly string[] {
  const ending = new Set<string>();
  for (let before = -1; before < ending.size; ) {
    before = ending.size;
    for (const [name, rule] of rules) if (!ending.has(name) && ends(rule, ending)) ending.add(name);
  }
  return [...rules.keys()].filter((name) => !ending.has(name));
}

function ends(expression: Expression, ending: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case "text":
    case "optional":
      return true;
    case "rule":
      return ending.has(expression.name);
    case "sequence":
      return expression.parts.every((part) => ends(part, ending));
    case "choice":
      return expression.parts.some((part) => ends(part, ending));
  }
}
