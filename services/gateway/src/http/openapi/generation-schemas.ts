import { z } from "zod";

const integer = z.number().int();

const usage = z.object({
  prompt_tokens: integer,
  completion_tokens: integer,
  total_tokens: integer,
  prompt_tokens_details: z.object({ cached_tokens: integer }).optional(),
});

const finishReason = z.enum(["stop", "length", "tool_calls", "function_call"]).nullable();

const chatLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(integer) });
const chatLogprobs = z.object({
  content: z.array(chatLogprob.extend({ top_logprobs: z.array(chatLogprob) })),
  refusal: z.null(),
});

const functionCall = z.object({ name: z.string(), arguments: z.string() });
const toolCall = z.object({ id: z.string(), type: z.literal("function"), function: functionCall });
/** The call of an answer to a request with `functions`. */
const legacyCall = functionCall.optional();

const head = { id: z.string(), created: integer, model: z.string(), system_fingerprint: z.string() };

/** vLLM's, with `return_token_ids`. */
const tokenIds = z.array(integer).optional();

/** vLLM's, with `prompt_logprobs`: for each prompt token, scores by token id; null for the first token. */
const promptLogprobs = z
  .array(
    z
      .record(z.string(), z.object({ logprob: z.number(), rank: integer.nullable(), decoded_token: z.string() }))
      .nullable(),
  )
  .optional();

/** Parts of a schema that is not strict which the answer was not held to. */
export const warnings = z.array(z.object({ param: z.string(), path: z.string(), reason: z.string() })).optional();

/** A whole chat (and FIM) completion. */
export const chatCompletionSchema = z.object({
  ...head,
  object: z.literal("chat.completion"),
  choices: z.array(
    z.object({
      index: integer,
      message: z.object({
        role: z.literal("assistant"),
        content: z.string().nullable(),
        refusal: z.null(),
        tool_calls: z.array(toolCall).optional(),
        function_call: legacyCall,
      }),
      logprobs: chatLogprobs.nullable(),
      finish_reason: finishReason,
      token_ids: tokenIds,
    }),
  ),
  usage,
  warnings,
  prompt_token_ids: tokenIds,
  prompt_logprobs: promptLogprobs,
});

/** What each server-sent event of a chat carries. */
export const chatChunkSchema = z.object({
  ...head,
  object: z.literal("chat.completion.chunk"),
  choices: z.array(
    z.object({
      index: integer,
      delta: z.object({
        role: z.literal("assistant").optional(),
        content: z.string().nullish(),
        tool_calls: z.array(toolCall.extend({ index: integer })).optional(),
        function_call: legacyCall,
      }),
      logprobs: chatLogprobs.optional(),
      finish_reason: finishReason,
      token_ids: tokenIds,
    }),
  ),
  usage: usage.optional(),
  warnings,
  prompt_token_ids: tokenIds,
});

const completionLogprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  text_offset: z.array(integer),
});

/** A whole completion, or one chunk of a streamed one. */
export const completionSchema = z.object({
  ...head,
  object: z.literal("text_completion"),
  choices: z.array(
    z.object({
      index: integer,
      text: z.string(),
      logprobs: completionLogprobs.nullable(),
      finish_reason: finishReason,
      token_ids: tokenIds,
      prompt_token_ids: tokenIds,
      prompt_logprobs: promptLogprobs,
    }),
  ),
  usage: usage.optional(),
  warnings,
});

const textBlock = z.object({ type: z.literal("text"), text: z.string() });
const toolUseBlock = z.object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  caller: z.object({ type: z.literal("direct") }),
});

/** A whole answer of /v1/messages. */
export const messageSchema = z.object({
  id: z.string(),
  type: z.literal("message"),
  role: z.literal("assistant"),
  model: z.string(),
  content: z.array(z.discriminatedUnion("type", [textBlock, toolUseBlock])),
  stop_reason: z.enum(["end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"]),
  stop_sequence: z.string().nullable(),
  stop_details: z.null(),
  warnings,
  container: z.null(),
  usage: z.object({
    input_tokens: integer.describe("Without those that came from the prefix cache"),
    cache_creation_input_tokens: integer,
    cache_read_input_tokens: integer,
    cache_creation: z.null(),
    output_tokens: integer,
    output_tokens_details: z.null(),
    server_tool_use: z.null(),
    service_tier: z.literal("standard"),
    inference_geo: z.null(),
  }),
});

/** One vector per input. */
export const embeddingListSchema = z.object({
  id: z.string(),
  object: z.literal("list"),
  data: z.array(
    z.object({
      object: z.literal("embedding"),
      index: integer,
      embedding: z.union([z.array(z.number()), z.base64().describe("With base64: f32, little-endian")]),
    }),
  ),
  model: z.string(),
  pooling: z.literal("mean").describe("Over all tokens of the input, of the hidden states after the final norm"),
  normalized: z.literal(true).describe("Each vector has length 1"),
  usage,
});
