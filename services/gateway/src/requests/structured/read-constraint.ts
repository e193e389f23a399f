import type { Constraint } from "@rhone/common";
import { anyOfGrammars, behindSpace, FREE_TEXT, type GrammarChecker } from "@rhone/grammar";
import type { CallRules } from "../tools/call-rules.js";
import { grammarOf, type NamedGrammar, refusal } from "./grammar-of.js";
import type { StructuredFields } from "./structured-fields.js";

export interface ConstraintOptions {
  /** Every answer begins with a space that is dropped before it is shown; the grammar covers the text behind it. */
  readonly leadingSpace: boolean;
  /** The answer may be function calls; otherwise it has the form that the body asks for. */
  readonly calls?: CallRules | undefined;
}

/** The form that the answer must have, tried out; null: any. Throws INVALID_REQUEST that names the field. */
export async function readConstraint(
  grammars: Pick<GrammarChecker, "check">,
  fields: StructuredFields,
  { leadingSpace, calls }: ConstraintOptions,
): Promise<Constraint | null> {
  const asked = grammarOf(fields);
  const plan = calls === undefined ? planned(asked) : plannedCalls(calls, asked);
  if (plan === null) return null;
  const tried = async ({ param, grammar }: NamedGrammar): Promise<string> => {
    await grammars.check(grammar).catch((error) => {
      throw refusal(param, error);
    });
    return leadingSpace ? behindSpace(grammar) : grammar;
  };
  const { first, trigger, otherwise } = plan;
  return { grammar: await tried(first), trigger, otherwise: otherwise === undefined ? null : await tried(otherwise) };
}

interface Plan {
  readonly first: NamedGrammar;
  readonly trigger: number | null;
  readonly otherwise?: NamedGrammar | undefined;
}

const planned = (asked: NamedGrammar | undefined): Plan | null =>
  asked === undefined ? null : { first: asked, trigger: null };

/** An answer that must be a call has no other form. Where it may be one, other answers have the form asked for. */
function plannedCalls(
  { format: { forced, marker }, grammar, strict }: CallRules,
  asked: NamedGrammar | undefined,
): Plan | null {
  const calls: NamedGrammar = { param: "tools", grammar };
  if (forced) return { first: calls, trigger: null };
  if (marker !== null) return { first: calls, trigger: marker, otherwise: asked };
  if (asked === undefined && !strict) return null;
  const either = anyOfGrammars([grammar, asked?.grammar ?? FREE_TEXT]);
  return { first: { param: asked?.param ?? "tools", grammar: either }, trigger: null };
}
