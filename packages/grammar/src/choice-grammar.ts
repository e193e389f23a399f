import { RhoneError } from "@rhone/common";
import { checkEbnf, MAX_EBNF } from "./ebnf/check-ebnf.js";
import { literal } from "./ebnf/notation.js";
import { RuleBook } from "./ebnf/rule-book.js";

/** A grammar of exactly these texts. Throws INVALID_REQUEST when there are none, or too many. */
export function choiceGrammar(choices: readonly string[]): string {
  if (choices.length === 0) throw new RhoneError("INVALID_REQUEST", "has no choices");
  const book = new RuleBook(MAX_EBNF);
  const grammar = book.text(book.rule([...new Set(choices)].map(literal)));
  checkEbnf(grammar);
  return grammar;
}
