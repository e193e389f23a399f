import type { AST } from "@eslint-community/regexpp";
import { ALL_CODE_POINTS, type CodePoints, complement, single, union } from "../ebnf/code-points.js";
import { refuseRegex } from "../refusals.js";

const of = (ranges: string): CodePoints =>
  union(Array.from(ranges.matchAll(/(.)-(.)/gsu), ([, a, b]) => [code(a), code(b)] as const));
const code = (letter = ""): number => letter.codePointAt(0) ?? 0;

const DIGIT = of("0-9");
const WORD = of("0-9A-Z_-_a-z");
const SPACE = union(
  of(
    "\t-\r - \u00a0-\u00a0\u1680-\u1680\u2000-\u200a\u2028-\u2029\u202f-\u202f\u205f-\u205f\u3000-\u3000\ufeff-\ufeff",
  ),
);
const LINE_END = of("\n-\n\r-\r\u2028-\u2029");

type CharacterNode = AST.Character | AST.CharacterSet | AST.CharacterClass;

/** An element that is repeated is asked for once per repetition. */
const KNOWN = new WeakMap<CharacterNode, CodePoints>();

/** The characters that one element of a regular expression matches. Throws Unenforceable for Unicode properties. */
export function characterSet(node: CharacterNode): CodePoints {
  const set = KNOWN.get(node) ?? setOf(node);
  KNOWN.set(node, set);
  return set;
}

/** Letters that mean themselves when they are escaped, without the u flag only. In other dialects they mean more. */
const FOREIGN_ESCAPE = /^\\[A-Zac-eg-mo-qsuw-z]$/;

function setOf(node: CharacterNode): CodePoints {
  switch (node.type) {
    case "Character":
      return FOREIGN_ESCAPE.test(node.raw) ? refuseRegex(node.raw) : single(node.value);
    case "CharacterSet":
      return namedSet(node);
    case "CharacterClass": {
      const set = union(...node.elements.map(classElement));
      return node.negate ? complement(set) : set;
    }
  }
}

function classElement(element: AST.CharacterClassElement): CodePoints {
  switch (element.type) {
    case "Character":
    case "CharacterSet":
      return characterSet(element as AST.Character | AST.CharacterSet);
    case "CharacterClassRange":
      return union([[element.min.value, element.max.value]]);
    default:
      return refuseRegex(element.raw);
  }
}

function namedSet(node: AST.CharacterSet): CodePoints {
  switch (node.kind) {
    case "any":
      return complement(LINE_END);
    case "digit":
      return negated(DIGIT, node.negate);
    case "word":
      return negated(WORD, node.negate);
    case "space":
      return negated(SPACE, node.negate);
    default:
      return node.raw === "\\p{Any}" ? ALL_CODE_POINTS : refuseRegex(node.raw);
  }
}

const negated = (set: CodePoints, isNegated: boolean): CodePoints => (isNegated ? complement(set) : set);
