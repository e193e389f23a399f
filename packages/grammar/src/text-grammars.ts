import { RhoneError } from "@rhone/common/rhone-error";
import { checkEbnf, MAX_EBNF } from "./ebnf/check-ebnf.js";
import { literal, RuleBook } from "./ebnf/rule-book.js";
import { regexGrammar } from "./regex/regex-grammar.js";

/** A grammar of any text that can't be taken for JSON: its first character opens neither an object nor a list. */
export const FREE_TEXT = 'root ::= "" | [^{\\[ \\t\\r\\n] [^\\x00]*';

/** A grammar of exactly these texts. Throws INVALID_REQUEST when there are none, or when together they are too long. */
export function choiceGrammar(choices: readonly string[]): string {
  if (choices.length === 0) throw new RhoneError("INVALID_REQUEST", "has no choices");
  const book = new RuleBook(MAX_EBNF);
  const grammar = book.text(book.rule([...new Set(choices)].map(literal)));
  checkEbnf(grammar);
  return grammar;
}

/** A grammar of the texts that a regular expression matches from beginning to end. Throws as `regexGrammar` does. */
export function regexTextGrammar(source: string): string {
  const book = new RuleBook(MAX_EBNF);
  const grammar = book.text(book.rule(regexGrammar({ book, writing: "plain" }, source, '""')));
  checkEbnf(grammar);
  return grammar;
}

/** A grammar of the texts of any of these grammars. */
export function anyOfGrammars(grammars: readonly string[]): string {
  // `nothing` matches the empty text: it keeps the engine from inlining a rule's body where its name is.
  const ways = grammars.map((_, i) => `nothing g${i}_root`);
  return [
    `root ::= ${ways.join(" | ")}`,
    'nothing ::= ""',
    ...grammars.map((grammar, i) => prefixRules(grammar, `g${i}_`)),
  ].join("\n");
}

/** A grammar of a space followed by one of the grammar's texts. */
export function behindSpace(grammar: string): string {
  return `root ::= " " behind_root\n${prefixRules(grammar, "behind_")}`;
}

/** Texts, classes and comments match whole, so that words inside them are not taken for rule names. */
const NAME = /"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|#[^\n]*|(?<name>[A-Za-z_][\w.-]*)/g;

/** The same grammar with `prefix` before the name of every rule. */
function prefixRules(grammar: string, prefix: string): string {
  return grammar.replaceAll(NAME, (found, name: string | undefined) => (name === undefined ? found : prefix + name));
}
