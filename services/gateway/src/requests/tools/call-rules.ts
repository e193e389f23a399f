import { CallGrammar } from "@rhone/grammar";
import type { CallFormat } from "../../answers/calls/call-format.js";
import { refusal } from "../structured/grammar-of.js";
import type { ToolUse } from "./tool-use.js";

export interface CallRules {
  readonly format: CallFormat;
  /** EBNF of the calls, without the marker and the space before an answer. */
  readonly grammar: string;
  /** Calls must match their function's parameters even where only the text tells a call from prose. */
  readonly strict: boolean;
}

/** `callToken`: the template's marker. Throws INVALID_REQUEST that names a tool whose parameters make no grammar. */
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
