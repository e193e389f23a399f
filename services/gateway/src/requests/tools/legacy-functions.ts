import { z } from "zod";
import { RequestError, refuseParam } from "../../request-error.js";
import type { Renaming } from "../in-words-of.js";
import { optional } from "../request-fields.js";
import { calledFunction, isFilled, type ToolFields, toolList } from "./tool-fields.js";

/** What OpenAI's API had before tools: functions of which an answer calls one at most. */
export const legacyFunctionFields = {
  functions: optional(toolList(calledFunction)),
  function_call: optional(
    z.union(
      [z.enum(["none", "auto"]), z.object({ name: z.string() })],
      'must be none, auto or {"name": …}, a function',
    ),
  ),
} as const;

const legacySchema = z.object(legacyFunctionFields);
export type LegacyFunctions = Readonly<z.infer<typeof legacySchema>>;

/** How refusals name what was made of them. */
export const FUNCTION_NAMES: readonly Renaming[] = [
  [/^tools\.(\d+)\.function\b/, "functions.$1"],
  [/^tools\b/, "functions"],
  [/^tool_choice\b/, "function_call"],
];

/** The same as tools; null: the request has no functions. Throws INVALID_REQUEST. */
export function toolsOf({ functions = [], function_call: choice }: LegacyFunctions, fields: ToolFields) {
  const isNamed = typeof choice === "object";
  if (!isFilled(functions)) {
    if (isNamed) refuseParam("function_call", ": needs functions to choose from.");
    return null;
  }
  for (const name of ["tools", "tool_choice"] as const)
    if (fields[name] !== undefined) refuseParam(name, " and functions exclude each other.");
  if (isNamed && !functions.some(({ name }) => name === choice.name)) {
    const problem = `names ${choice.name}, which is not among the functions`;
    throw new RequestError("INVALID_REQUEST", `function_call: ${problem}.`, { param: "function_call" });
  }
  return {
    tools: functions.map((each) => ({ type: "function" as const, function: each })),
    tool_choice: isNamed ? { type: "function" as const, function: choice } : (choice ?? "auto"),
    parallel_tool_calls: false,
  };
}
