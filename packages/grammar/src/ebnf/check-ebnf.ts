import { RhoneError } from "@rhone/common/rhone-error";
import { TooLarge } from "../refusals.js";
import { type Expression, parseEbnf } from "./parse-ebnf.js";
import { shortestTexts } from "./shortest-text.js";

/** Most characters in a grammar. */
export const MAX_EBNF = 256 * 1024;

/**
 * Throws INVALID_REQUEST unless the text is a grammar with a rule `root` and every rule can end. The engine accepts
 * rules that never end, but a text that begins one could not be finished.
 */
export function checkEbnf(source: string): void {
  if (source.length > MAX_EBNF) throw new TooLarge(`it has ${source.length} characters; the limit is ${MAX_EBNF}`);
  const rules = parseEbnf(source);
  if (!rules.has("root")) fail("has no rule named root");
  for (const rule of rules.values())
    for (const name of namesIn(rule)) if (!rules.has(name)) fail(`has no rule named ${name}`);
  const lengths = shortestTexts(rules);
  const endless = [...rules.keys()].filter((name) => !lengths.has(name));
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
    case "repeat":
      return namesIn(expression.of);
    default:
      return expression.parts.flatMap(namesIn);
  }
}
