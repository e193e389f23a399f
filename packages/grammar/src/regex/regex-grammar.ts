import { type AST, RegExpParser, visitRegExpAST } from "@eslint-community/regexpp";
import { type CharacterContext, characters } from "../ebnf/characters.js";
import type { CodePoints } from "../ebnf/code-points.js";
import { repeat } from "../ebnf/repeat.js";
import { refuseRegex, Unenforceable } from "../refusals.js";
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
 * Anchors at either end are allowed and change nothing. Throws Unenforceable for a malformed expression, and for
 * look-around, back references, word boundaries, flags, Unicode properties and what only other dialects know.
 */
export function regexGrammar(context: CharacterContext, source: string, then: string): string[] {
  const { alternatives } = parse(source);
  return alternatives.flatMap(({ elements }) => sequence(context, anchored(elements).between, then));
}

export interface SearchContext extends CharacterContext {
  /** The characters that may be before and behind a match. */
  readonly any: CodePoints;
}

/**
 * The same for texts that have a match somewhere: anything may be before it, unless it begins with ^, and behind it,
 * unless it ends with $. Throws as regexGrammar does.
 */
export function searchGrammar(context: SearchContext, source: string, then: string): string[] {
  const ways = parse(source).alternatives.map(({ elements }) => anchored(elements));
  const element = (next: string) => characters(context, context.any, next);
  const anything = (next: string) => repeat(context.book, { min: 0, max: undefined, element }, next);
  if (ways.some((way) => isFree(way))) return anything(then);
  const behind = context.book.reference(anything(then));
  const matches = ({ between, toEnd }: Anchored) => sequence(context, between, toEnd ? then : behind);
  const floating = ways.filter(({ fromStart }) => !fromStart).flatMap(matches);
  const fixed = ways.filter(({ fromStart }) => fromStart).flatMap(matches);
  // A rule, as the engine merges what is behind classes that have a range in common.
  return floating.length === 0 ? fixed : [...fixed, ...anything(context.book.rule(floating))];
}

function parse(source: string): AST.Pattern {
  const parser = new RegExpParser({ ecmaVersion: 2024 });
  try {
    return parser.parsePattern(source, 0, source.length, { unicode: true });
  } catch {
    // Escapes such as \- are an error with the u flag only.
  }
  const foreign = FOREIGN.exec(source);
  if (foreign !== null) refuseRegex(foreign[1] ?? foreign[0]);
  try {
    const pattern = parser.parsePattern(source, 0, source.length, { unicode: false });
    refuseNestedClasses(pattern);
    return pattern;
  } catch (cause) {
    if (cause instanceof Unenforceable) throw cause;
    throw new Unenforceable("", `has a malformed regular expression: ${(cause as Error).message}`);
  }
}

/** Without the flag, [[:alpha:]] is a class and a bracket, and {,3} are four characters; Python's is a quantifier. */
const FOREIGN = /\[:\w+:\]|(?<!\\)(?:\\\\)*(\{,\d*\})/;
/** A class that ends elsewhere in other dialects: `[a-z&&[^b]]` of Java's, `[^]a]` of Python's. */
const OTHER_CLASS = /^\[\^?\]$|^.(?:[^\\]|\\.)*?\[/;

/** Throws Unenforceable for a bracket that other dialects read as the end of the class before it. */
function refuseNestedClasses(pattern: AST.Pattern): void {
  let suspect: string | undefined;
  visitRegExpAST(pattern, {
    onCharacterClassEnter: ({ raw }) => {
      if (OTHER_CLASS.test(raw)) suspect ??= raw;
    },
    onCharacterEnter: ({ raw }) => {
      if (raw === "]" && suspect !== undefined) refuseRegex(suspect);
    },
  });
}

/** An alternative without its anchors. */
interface Anchored {
  readonly between: readonly AST.Element[];
  readonly fromStart: boolean;
  readonly toEnd: boolean;
}

function anchored(elements: readonly AST.Element[]): Anchored {
  const isAnchor = (element: AST.Element | undefined, kind: "start" | "end"): boolean =>
    element?.type === "Assertion" && element.kind === kind;
  const fromStart = isAnchor(elements[0], "start");
  const toEnd = isAnchor(elements.at(-1), "end");
  const start = fromStart ? 1 : 0;
  return { between: elements.slice(start, Math.max(start, elements.length - (toEnd ? 1 : 0))), fromStart, toEnd };
}

/** Whether every text has a match: the empty one, at its beginning or end. */
const isFree = ({ between, fromStart, toEnd }: Anchored): boolean => !(fromStart && toEnd) && between.every(mayBeEmpty);

function mayBeEmpty(element: AST.Element): boolean {
  switch (element.type) {
    case "Quantifier":
      return element.min === 0 || mayBeEmpty(element.element);
    case "Group":
    case "CapturingGroup":
      return element.alternatives.some(({ elements }) => elements.every(mayBeEmpty));
    default:
      return false;
  }
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
