import type { Constraint } from "@rhone/common";
import { parseRequest } from "../api/parse-request.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { grammarOf, refusal } from "./grammar-of.js";
import { structuredSchema } from "./structured-fields.js";

/**
 * What the body says that an answer must look like, tried out; null: nothing. `leadingSpace`: every answer begins with a space that
 * is dropped before it is shown, so the grammar is of what comes behind it. Throws INVALID_REQUEST that names the field.
 */
export async function readConstraint(
  { grammars }: Pick<GatewayDeps, "grammars">,
  body: unknown,
  { leadingSpace }: { readonly leadingSpace: boolean },
): Promise<Constraint | null> {
  const named = grammarOf(parseRequest(structuredSchema, body));
  if (named === undefined) return null;
  const { param } = named;
  try {
    await grammars.check(named.grammar);
  } catch (error) {
    throw refusal(param, error);
  }
  return { grammar: leadingSpace ? behindSpace(named.grammar) : named.grammar, trigger: null };
}

/** The grammar under another name for its root, and a root that begins with the space. */
function behindSpace(grammar: string): string {
  const root = freeName(grammar);
  const renamed = grammar.replaceAll(ROOT, (found) => (found === "root" ? root : found));
  return `root ::= " " ${root}\n${renamed}`;
}

/** Texts, classes and comments are passed over whole, so that a `root` in them stays. */
const ROOT = /"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|#[^\n]*|[A-Za-z_][\w.-]*/g;

function freeName(grammar: string): string {
  let name = "answer";
  while (grammar.includes(name)) name += "_";
  return name;
}
