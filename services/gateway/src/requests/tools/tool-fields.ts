import { z } from "zod";
import { jsonTextOf } from "../../write-in-turns.js";
import { anyObject, boundedObject, hasValues, listOf } from "../long-fields.js";
import { optional } from "../request-fields.js";

export const MOST_TOOLS = 128;
/** Of all tools, at all depths. The 128 largest of 20 tool servers have 240 KB. */
const MOST_VALUES = 50_000;

export const isFilled = (items: readonly unknown[]): boolean => items.length > 0;

export const functionName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, "must be 1 to 64 letters, digits, underscores and dashes");

/** A function that the model may call. */
export const calledFunction = z.object({
  name: functionName,
  description: optional(z.string()),
  parameters: optional(anyObject),
  strict: optional(z.boolean()),
});

const tool = z.object({ type: optional(z.literal("function")), function: calledFunction });

const namedFunction = z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) });

const toolChoice = z.union(
  [
    z.enum(["none", "auto", "any", "required"]),
    namedFunction,
    z.object({
      type: z.literal("allowed_tools"),
      allowed_tools: z.object({ mode: z.enum(["auto", "required"]), tools: listOf(namedFunction).refine(isFilled) }),
    }),
  ],
  'must be none, auto, any, required, {"type": "function", "function": {"name": …}} or {"type": "allowed_tools", …}',
);
export type ToolChoice = z.infer<typeof toolChoice>;

/** At most 128 tools, of at most 50,000 values together. */
export const toolList = <T extends z.ZodType>(item: T) =>
  listOf(item, MOST_TOOLS).refine(
    (tools) => hasValues(MOST_VALUES, tools),
    `has more than ${MOST_VALUES} values; send fewer tools, or smaller parameters`,
  );

/** The fields about functions, of OpenAI and of Mistral. */
export const toolFields = {
  tools: optional(toolList(tool)),
  tool_choice: optional(toolChoice),
  parallel_tool_calls: optional(z.boolean()),
} as const;

const toolSchema = z.object(toolFields);
export type ToolFields = z.infer<typeof toolSchema>;

/** Mistral's clients send the arguments of a call as an object, OpenAI's as text. */
const argumentsText = z.union([z.string(), boundedObject.transform(jsonTextOf)]);

/** A call that an assistant made earlier in the conversation. */
export const toolCallSchema = z.object({
  id: optional(z.string()),
  type: optional(z.literal("function")),
  function: z.object({ name: z.string(), arguments: argumentsText }),
});
