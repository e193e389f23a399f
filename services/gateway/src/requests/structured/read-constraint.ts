import type { Constraint } from "@rhone/common";
import { anyOfGrammars, behindSpace, FREE_TEXT, type GrammarChecker } from "@rhone/grammar";
import type { CallRules } from "../tools/call-rules.js";
import { grammarOf, type NamedGrammar, refusal } from "./grammar-of.js";
import type { StructuredFields } from "./structured-fields.js";

export interface ConstraintOptions {
  /** Every answer begins with a space that is dropped before it is shown, so grammars are of what comes behind it. */
  readonly leadingSpace: boolean;
  /** The answer may be function calls; otherwise it is what the body says. */
  readonly calls?: CallRules | undefined;
}

/** What an answer must look like, tried out; null: nothing. Throws INVALID_REQUEST that names the field. */
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

/** An answer that must be a call has no other form; where it may be one, the body's form is that of the others. */
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
