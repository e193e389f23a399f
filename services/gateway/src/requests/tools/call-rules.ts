import type { GrammarSource } from "@rhone/grammar";
import type { CallFormat } from "../../answers/calls/call-format.js";
import type { ToolUse } from "./tool-use.js";

export interface CallRules {
  readonly format: CallFormat;
  /** The calls, without the marker and the space before an answer. */
  readonly source: GrammarSource;
  /** Calls must match their function's parameters even where only the text tells a call from prose. */
  readonly strict: boolean;
}

/** `callToken`: the template's marker. */
export function callRules({ callable, forced, parallel }: ToolUse, callToken: number | undefined): CallRules {
  const functions = callable.map(({ name, parameters, strict, index }) => ({
    name,
    parameters: parameters as Readonly<Record<string, unknown>> | undefined,
    strict,
    param: `tools.${index}.function.parameters`,
  }));
  return {
    format: { marker: callToken ?? null, forced, names: callable.map(({ name }) => name), parallel },
    source: { kind: "calls", param: "tools", functions, shape: { parallel, listed: callToken !== undefined } },
    strict: callable.some((tool) => tool.strict),
  };
}
