import { RhoneError } from "@rhone/common/rhone-error";
import { type CallableFunction, CallGrammar, type CallsShape } from "../calls/call-grammar.js";
import { checkEbnf } from "../ebnf/check-ebnf.js";
import { shareTails } from "../ebnf/share-tails.js";
import type { JsonSchema } from "../schema/json-schema.js";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { anyOfGrammars, choiceGrammar, regexTextGrammar } from "../text-grammars.js";

export interface NamedFunction extends CallableFunction {
  /** The request's field that has the parameters. */
  readonly param: string;
}

/** What a grammar is made of: plain data, which another thread can be given. `param`: the field that asks for it. */
export type GrammarSource = { readonly param: string } & (
  | { readonly kind: "schema"; readonly schema: JsonSchema }
  | { readonly kind: "regex"; readonly pattern: string }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "ebnf"; readonly grammar: string }
  | { readonly kind: "calls"; readonly functions: readonly NamedFunction[]; readonly shape: CallsShape }
  | { readonly kind: "either"; readonly sources: readonly GrammarSource[] }
);

/** The EBNF of a source. Throws INVALID_REQUEST with `param`, as the functions that write each kind do. */
export function grammarText(source: GrammarSource): string {
  return about(source.param, () => written(source));
}

function written(source: GrammarSource): string {
  switch (source.kind) {
    case "schema":
      return jsonSchemaGrammar(source.schema);
    case "regex":
      return regexTextGrammar(source.pattern);
    case "choice":
      return choiceGrammar(source.choices);
    case "ebnf":
      checkEbnf(source.grammar);
      return shareTails(source.grammar);
    case "calls":
      return callsText(source.functions, source.shape);
    case "either":
      return anyOfGrammars(source.sources.map(grammarText));
  }
}

function callsText(functions: readonly NamedFunction[], shape: CallsShape): string {
  const grammar = new CallGrammar();
  for (const each of functions) about(each.param, () => grammar.add(each));
  return grammar.text(shape);
}

/** Names the field in errors that do not name one yet. */
function about<T>(param: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RhoneError) || error.param !== undefined) throw error;
    throw new RhoneError(error.code, error.message, { cause: error, param });
  }
}
