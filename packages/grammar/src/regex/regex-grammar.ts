import { type AST, RegExpParser } from "@eslint-community/regexpp";
import { RhoneError } from "@rhone/common/rhone-error";
import { type CharacterContext, characters } from "../ebnf/characters.js";
import { repeat } from "../ebnf/repeat.js";
import { refuseRegex } from "../refusals.js";
import { characterSet } from "./character-set.js";
import { flatQuantifier } from "./flat-quantifier.js";

/**
 * From this number on, repetitions are a rule of their own, which equal ones share whatever follows them. The engine
 * tries the whole vocabulary in each state of a chain: a mail address, with 4 equal labels of a host, took 3.3 s for
 * 131,072 tokens, now 1.5 s, and a URI 2.2 s and now 0.5 s; masks take as long as before.
 */
const SHARED = 8;

/**
 * Alternatives for the texts that an ECMAScript regular expression matches from beginning to end, followed by `then`.
 * Anchors at either end are allowed and change nothing. Throws INVALID_REQUEST for a malformed expression, and for
 * look-around, back references, word boundaries, flags and Unicode properties.
 */
export function regexGrammar(context: CharacterContext, source: string, then: string): string[] {
  const { alternatives } = parse(source);
  return alternatives.flatMap(({ elements }) => sequence(context, withoutAnchors(elements), then));
}

function parse(source: string): AST.Pattern {
  const parser = new RegExpParser({ ecmaVersion: 2024 });
  try {
    return parser.parsePattern(source, 0, source.length, { unicode: true });
  } catch {
    // Escapes such as \- are an error with the u flag only.
  }
  try {
    return parser.parsePattern(source, 0, source.length, { unicode: false });
  } catch (cause) {
    throw new RhoneError("INVALID_REQUEST", `has a malformed regular expression: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function withoutAnchors(elements: readonly AST.Element[]): readonly AST.Element[] {
  const isAnchor = (element: AST.Element | undefined, kind: "start" | "end"): boolean =>
    element?.type === "Assertion" && element.kind === kind;
  const start = isAnchor(elements[0], "start") ? 1 : 0;
  const end = isAnchor(elements.at(-1), "end") ? elements.length - 1 : elements.length;
  return elements.slice(start, Math.max(start, end));
}

function sequence(context: CharacterContext, elements: readonly AST.Element[], then: string): string[] {
  let alternatives = [then];
  for (const element of elements.toReversed()) {
    alternatives = translate(context, element, context.book.reference(alternatives));
  }
  return alternatives;
}

function translate(context: CharacterContext, node: AST.Element, then: string): string[] {
  const { book } = context;
  switch (node.type) {
    case "Character":
    case "CharacterSet":
    case "CharacterClass": {
      const ways = characters(context, characterSet(node), then);
      return ways.length > 0 ? ways : refuseRegex(node.raw);
    }
    case "Group":
    case "CapturingGroup":
      if (node.type === "Group" && node.modifiers != null) return refuseRegex(node.raw);
      return node.alternatives.flatMap(({ elements }) => sequence(context, elements, then));
    case "Quantifier": {
      const { min, max, element } = flatQuantifier(node);
      const each = (next: string) => translate(context, element, next);
      const most = max === Number.POSITIVE_INFINITY ? undefined : max;
      const repeated = (end: string) => repeat(book, { min, max: most, element: each }, end);
      return most !== undefined && most >= SHARED ? [`${book.rule(repeated('""'))} ${then}`] : repeated(then);
    }
    default:
      return refuseRegex(node.raw);
  }
}
