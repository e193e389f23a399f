import { z } from "zod";
import { generationFields, optional } from "./request-fields.js";
import { toolCallSchema, toolFields } from "./tools/tool-fields.js";

const textPart = z.object({ type: z.literal("text", "only text content is supported"), text: z.string() });
const content = z.union([z.string(), z.array(textPart).transform((parts) => parts.map(({ text }) => text).join(""))]);

const message = z.object({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: optional(content),
  tool_calls: optional(z.array(toolCallSchema)),
  tool_call_id: optional(z.string()),
  name: optional(z.string()),
  prefix: optional(z.boolean()),
});

/** POST /v1/chat/completions. */
export const chatRequestSchema = z.object({
  ...generationFields,
  ...toolFields,
  messages: z.array(message).min(1, "must hold at least one message"),
  max_completion_tokens: optional(z.number().int().min(0).max(0x7fffffff)),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(z.number().int().min(0).max(20)),
  safe_prompt: optional(z.boolean()),
  add_generation_prompt: optional(z.boolean()),
  continue_final_message: optional(z.boolean()),
  echo: optional(z.boolean()),
  chat_template_kwargs: optional(z.record(z.string(), z.unknown())),
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;
