import { z } from "zod";
import { cut } from "../../request-error.js";
import { MOST_MESSAGES } from "../conversation.js";
import { anyObject, boundedObject, listInTurns, listOf } from "../long-fields.js";
import { generationFields, modelName, optional, stopTexts } from "../request-fields.js";
import { toolList } from "../tools/tool-fields.js";

const text = z.object({ type: z.literal("text"), text: z.string() });

type BlockTypes = readonly [z.core.$ZodTypeDiscriminable, ...z.core.$ZodTypeDiscriminable[]];

/** A text, or blocks of these types. `holds`: what a refusal of other types says. */
const textOrBlocks = <T extends BlockTypes>(holds: string, types: T) =>
  z.union([
    z.string(),
    listOf(z.discriminatedUnion("type", types, { error: ({ input }) => `must ${typeProblem(input)}, and ${holds}` })),
  ]);

function typeProblem(block: unknown): string {
  const { type } = (block ?? {}) as { readonly type?: unknown };
  return typeof type === "string" ? `not be ${cut(type, 64)}: this model reads text only` : "say what the block is";
}

const toolResult = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: optional(textOrBlocks("a tool_result holds text", [text])),
  is_error: optional(z.boolean()),
});

const toolUse = z.object({ type: z.literal("tool_use"), id: z.string(), name: z.string(), input: boundedObject });

const message = z.discriminatedUnion("role", [
  z.object({
    role: z.literal("user"),
    content: textOrBlocks("a user message holds text and tool_result", [text, toolResult]),
  }),
  z.object({
    role: z.literal("assistant"),
    content: textOrBlocks("an assistant message holds text and tool_use", [
      text,
      toolUse,
      // Another model's thoughts, which Anthropic's own models are not shown again either.
      z.object({ type: z.literal("thinking") }),
      z.object({ type: z.literal("redacted_thinking") }),
    ]),
  }),
  z.object({ role: z.literal("system"), content: textOrBlocks("a system message holds text", [text]) }),
]);
export type AnthropicMessage = z.output<typeof message>;

const tool = z.object({
  type: optional(
    z.literal("custom", 'must be "custom": the gateway has no tools of its own, and the model knows none by name'),
  ),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/, "must be 1 to 128 letters, digits, underscores and dashes"),
  description: optional(z.string()),
  input_schema: anyObject,
  input_examples: optional(listOf(boundedObject, 64)),
  strict: optional(z.boolean()),
  defer_loading: optional(z.literal(false)),
  allowed_callers: optional(listOf(z.literal("direct"), 16)),
});
export type AnthropicTool = z.output<typeof tool>;

const parallel = { disable_parallel_tool_use: optional(z.boolean()) };

const toolChoice = z.discriminatedUnion("type", [
  z.object({ type: z.literal("auto"), ...parallel }),
  z.object({ type: z.literal("any"), ...parallel }),
  z.object({ type: z.literal("tool"), name: z.string(), ...parallel }),
  z.object({ type: z.literal("none") }),
]);
export type AnthropicToolChoice = z.output<typeof toolChoice>;

const outputFormat = z.object({ type: z.literal("json_schema"), schema: anyObject });

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const refused = (why: string) => optional(z.custom<readonly []>(isEmpty, `must be left out: ${why}`));

/** The fields that become the prompt, and the form of the answer. */
const promptFields = {
  model: modelName,
  system: optional(textOrBlocks("system holds text", [text])),
  messages: listInTurns(message, MOST_MESSAGES).refine(
    (messages) => messages.length > 0,
    "must hold at least one message",
  ),
  tools: optional(toolList(tool)),
  tool_choice: optional(toolChoice),
  /** The model may think, and never does. */
  thinking: optional(z.object({ type: z.enum(["disabled", "adaptive"]) })),
  output_config: optional(
    z.object({ format: optional(outputFormat), effort: refused("this model has one effort for all answers") }),
  ),
  /** The name of `output_config.format` in the beta. */
  output_format: optional(outputFormat),
  mcp_servers: refused("the gateway calls no servers"),
  context_management: refused("the gateway takes the conversation as it is sent"),
} as const;

/** POST /v1/messages/count_tokens. */
export const countTokensRequestSchema = z.object(promptFields);

/** POST /v1/messages. */
export const messagesRequestSchema = z.object({
  ...promptFields,
  max_tokens: z.number().int().min(1).max(0x7fffffff),
  temperature: optional(z.number().min(0).max(1)),
  top_p: generationFields.top_p,
  top_k: generationFields.top_k,
  seed: generationFields.seed,
  stop_sequences: optional(stopTexts),
  stream: optional(z.boolean()),
  stream_options: optional(z.object({ resumable: optional(z.boolean()) })),
  service_tier: optional(z.enum(["auto", "standard_only"])),
  container: refused("the gateway runs no code"),
  inference_geo: refused("the answer is computed where this cluster is"),
});
export type MessagesRequest = z.output<typeof messagesRequestSchema>;
export type CountedRequest = z.output<typeof countTokensRequestSchema>;
