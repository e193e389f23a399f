import { z } from "zod";
import { chatRequestSchema } from "./chat-request.js";
import { optional } from "./request-fields.js";

const conversation = chatRequestSchema.pick({
  messages: true,
  tools: true,
  tool_choice: true,
  parallel_tool_calls: true,
  add_generation_prompt: true,
  continue_final_message: true,
  chat_template_kwargs: true,
});

/** POST /tokenize: vLLM's shape (`prompt` or `messages`) or llama-server's (`content`). */
export const tokenizeRequestSchema = conversation.partial({ messages: true }).extend({
  model: optional(z.string()),
  prompt: optional(z.string()),
  content: optional(z.string()),
  add_special_tokens: optional(z.boolean()),
  add_special: optional(z.boolean()),
  return_token_strs: optional(z.boolean()),
  with_pieces: optional(z.boolean()),
});
export type TokenizeRequest = z.infer<typeof tokenizeRequestSchema>;

/** POST /detokenize. */
export const detokenizeRequestSchema = z.object({
  model: optional(z.string()),
  tokens: z.array(z.number().int().min(0)),
});
