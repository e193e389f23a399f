import { RhoneError } from "@rhone/common/rhone-error";
import { type CallableFunction, CallGrammar, type CallsShape } from "../calls/call-grammar.js";
import { checkEbnf } from "../ebnf/check-ebnf.js";
import { shareTails } from "../ebnf/share-tails.js";
import type { JsonSchema } from "../schema/json-schema.js";
import { schemaGrammar } from "../schema/json-schema-grammar.js";
import type { Waiver } from "../schema/waivers.js";
import { anyOfGrammars, choiceGrammar, regexTextGrammar } from "../text-grammars.js";

export interface NamedFunction extends CallableFunction {
  /** The request's field that has the parameters. */
  readonly param: string;
}

/**
 * What a grammar is made of: plain data, which another thread can be given. `param`: the field that asks for it. A
 * schema that is not strict is enforced as far as a grammar can.
 */
export type GrammarSource = { readonly param: string } & (
  | { readonly kind: "schema"; readonly schema: JsonSchema; readonly strict: boolean }
  | { readonly kind: "regex"; readonly pattern: string }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "ebnf"; readonly grammar: string }
  | { readonly kind: "calls"; readonly functions: readonly NamedFunction[]; readonly shape: CallsShape }
  | { readonly kind: "either"; readonly sources: readonly GrammarSource[] }
);

/** A part of a schema that its grammar lets through, and the field that has the schema. */
export interface GrammarWarning extends Waiver {
  readonly param: string;
}

export interface WrittenGrammar {
  /** EBNF. */
  readonly grammar: string;
  readonly warnings: readonly GrammarWarning[];
}

/**
 * The grammar of a source. `depth`: deepest nesting of schemas that are not strict. Throws INVALID_REQUEST with
 * `param`, as the functions that write each kind do.
 */
export function writeGrammar(source: GrammarSource, depth?: number): WrittenGrammar {
  return about(source.param, () => written(source, depth));
}

function written(source: GrammarSource, depth: number | undefined): WrittenGrammar {
  switch (source.kind) {
    case "schema": {
      const { strict, param } = source;
      const { text, waivers } = schemaGrammar(source.schema, { strict, depth: strict ? undefined : depth });
      return { grammar: text, warnings: warningsOf(param, waivers) };
    }
    case "regex":
      return exactly(regexTextGrammar(source.pattern));
    case "choice":
      return exactly(choiceGrammar(source.choices));
    case "ebnf":
      checkEbnf(source.grammar);
      return exactly(shareTails(source.grammar));
    case "calls":
      return writtenCalls(source.functions, source.shape, depth);
    case "either": {
      const each = source.sources.map((one) => writeGrammar(one, depth));
      return {
        grammar: anyOfGrammars(each.map(({ grammar }) => grammar)),
        warnings: each.flatMap(({ warnings }) => warnings),
      };
    }
  }
}

const exactly = (grammar: string): WrittenGrammar => ({ grammar, warnings: [] });

const warningsOf = (param: string, waivers: readonly Waiver[]): readonly GrammarWarning[] =>
  waivers.map((waiver) => ({ param, ...waiver }));

/** Most warnings about a field with several schemas; a last one counts the others. */
const MOST_WARNINGS = 32;

export function fewWarnings(warnings: readonly GrammarWarning[]): readonly GrammarWarning[] {
  const others = warnings.slice(MOST_WARNINGS);
  if (others.length === 0) return warnings;
  const params = new Set(others.map(({ param }) => param)).size;
  const reason = `has ${others.length} more such places, in ${params} schemas`;
  return [...warnings.slice(0, MOST_WARNINGS), { param: others[0]?.param ?? "", path: "#", reason }];
}

function writtenCalls(functions: readonly NamedFunction[], shape: CallsShape, depth?: number): WrittenGrammar {
  const calls = new CallGrammar();
  const warnings = functions.flatMap((each) => about(each.param, () => warningsOf(each.param, calls.add(each, depth))));
  return { grammar: calls.text(shape), warnings: fewWarnings(warnings) };
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
