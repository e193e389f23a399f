import { checkEbnf, MAX_EBNF } from "../ebnf/check-ebnf.js";
import { RuleBook } from "../ebnf/rule-book.js";
import { regexGrammar } from "./regex-grammar.js";

/** A grammar of the texts that a regular expression matches from beginning to end. Throws INVALID_REQUEST as regexGrammar does. */
export function regexTextGrammar(source: string): string {
  const book = new RuleBook(MAX_EBNF);
  const grammar = book.text(book.rule(regexGrammar({ book, writing: "plain" }, source, '""')));
  checkEbnf(grammar);
  return grammar;
}
