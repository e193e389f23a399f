import { CallGrammar } from "@rhone/grammar";
import { refusal } from "../structured/grammar-of.js";
import type { ToolUse } from "./tool-use.js";

/** How calls are told from text in an answer. */
export interface CallFormat {
  /** The token that announces calls; null: an answer that begins as a call does may be one. */
  readonly marker: number | null;
  /** Calls are announced already: the marker, if there is one, is the prompt's last token. */
  readonly forced: boolean;
  /** The functions that may be called. */
  readonly names: readonly string[];
  readonly parallel: boolean;
}

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

/** What the prompt ends with so that the answer is calls: no grammar lets a control token in. */
export const announcement = ({ forced, marker }: CallFormat): readonly number[] =>
  forced && marker !== null ? [marker] : [];

function named<T>(param: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw refusal(param, error);
  }
}
