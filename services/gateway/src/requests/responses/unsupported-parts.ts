import { RequestError } from "../../request-error.js";

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** More than any list may have, which the schema says. */
const MOST_ITEMS = 8192;

/** The objects of a list with their places; 1.2 million zeros took 0.5 s when each had its path. */
const listIn = (value: unknown): readonly (readonly [at: number, item: Fields])[] =>
  Array.isArray(value)
    ? value.slice(0, MOST_ITEMS).flatMap((item, at) => (isObject(item) ? [[at, item] as const] : []))
    : [];

/** Parts of OpenAI's API that this model cannot read or do, by their `type`. */
const ITEMS = /^(reasoning|compaction|item_reference|message|function_call|function_call_output)$/;
const PARTS = /^(input_image|input_file|input_audio|image_url|file|audio)$/;

/**
 * Refuses tools, items and parts of OpenAI's that are not text or functions, by name, before the schema says that they
 * are unknown. Throws INVALID_REQUEST with a `code` of its own for each kind.
 */
export function refuseUnsupportedParts(body: unknown): void {
  if (!isObject(body)) return;
  for (const [at, tool] of listIn(body.tools)) checkTool(tool, at);
  for (const [at, item] of listIn(body.input)) checkItem(item, at);
  checkChoice(body.tool_choice);
  checkReasoning(body.reasoning);
}

function checkTool(tool: Fields, at: number): void {
  const path = `tools.${at}`;
  if (tool.name == null && typeof tool.function === "object") {
    const problem = `${path}.function: tools of responses have name, description and parameters beside type`;
    refuse("invalid_value", `${path}.function`, `${problem}, not in function as those of chats.`);
  }
  if (typeof tool.type !== "string" || tool.type === "function") return;
  const problem = `${path}.type: the tool ${quoted(tool.type)} is not supported`;
  refuse("unsupported_tool", `${path}.type`, `${problem}; send tools of the type "function" and run them yourself.`);
}

function checkChoice(choice: unknown): void {
  if (!isObject(choice) || choice.type === "function" || choice.type === "allowed_tools") return;
  const problem = `tool_choice: the tool ${quoted(choice.type)} is not supported`;
  refuse("unsupported_tool", "tool_choice", `${problem}; choose a function.`);
}

function checkItem({ type = "message", content, output }: Fields, at: number): void {
  const path = `input.${at}`;
  if (type === "reasoning") {
    const message = `${path}: this model does not reason, so it reads no items of the type "reasoning"; leave it out.`;
    refuse("unsupported_item", `${path}.type`, message);
  }
  if (typeof type === "string" && !ITEMS.test(type)) {
    const known = "message, function_call, function_call_output and item_reference";
    refuse(
      "unsupported_item",
      `${path}.type`,
      `${path}: items of the type ${quoted(type)} are not supported, only ${known}.`,
    );
  }
  for (const [name, parts] of [
    ["content", content],
    ["output", output],
  ] as const)
    for (const [index, { type }] of listIn(parts)) {
      if (typeof type === "string" && PARTS.test(type)) refusePart(type, `${path}.${name}.${index}`);
    }
}

function refusePart(type: string, path: string): never {
  const message = `${path}: this model reads text only; ${type} is not supported. Send parts of the type "input_text".`;
  refuse("unsupported_content", `${path}.type`, message);
}

function checkReasoning(reasoning: unknown): void {
  if (!isObject(reasoning)) return;
  const asked = Object.entries(reasoning).find(([, value]) => value != null && value !== "none");
  if (asked === undefined) return;
  const param = `reasoning.${asked[0]}`.slice(0, 200);
  refuse("unsupported_parameter", param, `${param}: this model does not reason; leave reasoning out.`);
}

const quoted = (type: unknown): string => JSON.stringify(String(type).slice(0, 64));

function refuse(apiCode: string, param: string, message: string): never {
  throw new RequestError("INVALID_REQUEST", message, { param, apiCode });
}
