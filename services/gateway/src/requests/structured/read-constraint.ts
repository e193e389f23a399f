import { type Constraint, type TraceSpan, timed } from "@rhone/common";
import { FREE_TEXT, type GrammarBuilder, type GrammarSource, type GrammarWarning } from "@rhone/grammar";
import type { CallRules } from "../tools/call-rules.js";
import { askedSource, refusal } from "./asked-source.js";
import type { StructuredFields } from "./structured-fields.js";

export interface ConstraintOptions {
  /** The name of the API key: those who wait for grammars take turns. */
  readonly owner: string;
  /** Every answer begins with a space that is dropped before it is shown; the grammar covers the text behind it. */
  readonly leadingSpace: boolean;
  /** The answer may be function calls; otherwise it has the form that the body asks for. */
  readonly calls?: CallRules | undefined;
  /** Of which the writing of grammars is a part. */
  readonly span?: TraceSpan | null | undefined;
}

export interface ReadConstraint {
  /** null: the answer may have any form. */
  readonly constraint: Constraint | null;
  /** The parts of schemas that the answer is not held to. */
  readonly warnings: readonly GrammarWarning[];
}

/**
 * The form that the answer must have, tried out. Throws INVALID_REQUEST and GRAMMAR_TOO_COSTLY that name the field, and
 * GRAMMARS_BUSY.
 */
export async function readConstraint(
  grammars: Pick<GrammarBuilder, "build">,
  fields: StructuredFields,
  { leadingSpace, calls, owner, span }: ConstraintOptions,
): Promise<ReadConstraint> {
  const asked = askedSource(fields);
  const plan = calls === undefined ? planned(asked) : plannedCalls(calls, asked);
  const built = (source: GrammarSource, isTried = true) =>
    timed(span, "build grammar", () =>
      grammars.build({ source, leadingSpace, owner, isTried }).catch((error) => {
        throw refusal(source.param, error);
      }),
    );
  if (plan === null) {
    // The calls of this answer are not held to their parameters, but mistakes in those are refused all the same.
    if (calls !== undefined) await built(calls.source, false);
    return { constraint: null, warnings: [] };
  }
  const { trigger } = plan;
  const first = await built(plan.first);
  const otherwise = plan.otherwise === undefined ? undefined : await built(plan.otherwise);
  return {
    constraint: { grammar: first.grammar, trigger, otherwise: otherwise?.grammar ?? null },
    warnings: [...first.warnings, ...(otherwise?.warnings ?? [])],
  };
}

interface Plan {
  readonly first: GrammarSource;
  readonly trigger: number | null;
  readonly otherwise?: GrammarSource | undefined;
}

const planned = (asked: GrammarSource | undefined): Plan | null =>
  asked === undefined ? null : { first: asked, trigger: null };

/** An answer that must be a call has no other form. Where it may be one, other answers have the form asked for. */
function plannedCalls(
  { format: { forced, marker }, source, strict }: CallRules,
  asked: GrammarSource | undefined,
): Plan | null {
  if (forced) return { first: source, trigger: null };
  if (marker !== null) return { first: source, trigger: marker, otherwise: asked };
  if (asked === undefined && !strict) return null;
  const param = asked?.param ?? "tools";
  const other: GrammarSource = asked ?? { kind: "ebnf", param, grammar: FREE_TEXT };
  return { first: { kind: "either", param, sources: [source, other] }, trigger: null };
}
