import { CallGrammar } from "@rhone/grammar";
import type { CallFormat } from "../../answers/calls/call-format.js";
import { refusal } from "../structured/grammar-of.js";
import type { ToolUse } from "./tool-use.js";

export interface CallRules {
  readonly format: CallFormat;
  /** EBNF of the calls, without the marker and the space that begins an answer. */
  readonly grammar: string;
  /** A call must keep to its function's parameters even where only the text can tell that it is one. */
  readonly strict: boolean;
}

/** `callToken`: as chat templates have it. Throws INVALID_REQUEST that names the tool whose parameters are impossible or too large. */
export function callRules({ callable, forced, parallel }: ToolUse, callToken: number | undefined): CallRules {
  const grammar = new CallGrammar();
  for (const { name, parameters, strict, index } of callable) {
    const schema = parameters as Readonly<Record<string, unknown>> | undefined;
    named(`tools.${index}.function.parameters`, () => grammar.add({ name, parameters: schema, strict }));
  }
  const text = named("tools", () => grammar.text({ parallel, listed: callToken !== undefined }));
  const format = { marker: callToken ?? null, forced, names: callable.map(({ name }) => name), parallel };
  return { format, grammar: text, strict: callable.some((tool) => tool.strict) };
}

function named<T>(param: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw refusal(param, error);
  }
}
