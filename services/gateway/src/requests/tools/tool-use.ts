import type { ChatTool } from "@rhone/model";
import { RequestError } from "../../request-error.js";
import type { ToolChoice, ToolFields } from "./tool-fields.js";

export interface CallableTool extends ChatTool {
  readonly strict: boolean;
  /** Its index among the request's tools. */
  readonly index: number;
}

/** The functions of a request, and what the answer may do with them. */
export interface ToolUse {
  /** All functions, as the model is shown them. */
  readonly tools: readonly ChatTool[];
  readonly callable: readonly CallableTool[];
  /** The answer must be calls. */
  readonly forced: boolean;
  readonly parallel: boolean;
}

/**
 * undefined when the answer must be text: there are no functions, or `tool_choice` is none, which hides them from the
 * model. Throws INVALID_REQUEST for a choice among functions that do not exist.
 */
export function toToolUse(fields: ToolFields): ToolUse | undefined {
  const choice = fields.tool_choice ?? "auto";
  const tools = (fields.tools ?? []).map(({ function: { name, description, parameters, strict } }, index) => ({
    name,
    ...(description !== undefined && { description }),
    ...(parameters !== undefined && { parameters }),
    strict: strict ?? false,
    index,
  }));
  checkNames(tools);
  if (tools.length === 0) {
    if (choice !== "none" && choice !== "auto") refuse("tool_choice", "needs tools to choose from");
    return undefined;
  }
  if (choice === "none") return undefined;
  const { forced, names } = readChoice(choice);
  return {
    tools: tools.map(({ strict: _, index: __, ...shown }) => shown),
    callable: names === undefined ? tools : names.map((name) => chosen(tools, name)),
    forced,
    parallel: fields.parallel_tool_calls ?? true,
  };
}

interface Choice {
  readonly forced: boolean;
  /** undefined: any. */
  readonly names: readonly string[] | undefined;
}

function readChoice(choice: Exclude<ToolChoice, "none">): Choice {
  if (typeof choice === "string") return { forced: choice !== "auto", names: undefined };
  if (choice.type === "function") return { forced: true, names: [choice.function.name] };
  const { mode, tools } = choice.allowed_tools;
  return { forced: mode === "required", names: [...new Set(tools.map((one) => one.function.name))] };
}

function chosen(tools: readonly CallableTool[], name: string): CallableTool {
  return (
    tools.find((tool) => tool.name === name) ?? refuse("tool_choice", `names ${name}, which is not among the tools`)
  );
}

function checkNames(tools: readonly CallableTool[]): void {
  const names = tools.map(({ name }) => name);
  const twice = tools.find(({ name }, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse(`tools.${twice.index}.function.name`, `another function is named ${twice.name} too`);
}

function refuse(param: string, problem: string): never {
  throw new RequestError("INVALID_REQUEST", `${param}: ${problem}.`, { param });
}
