import { z } from "zod";

const integer = z.number().int();

const error = z.object({
  message: z.string(),
  type: z.string(),
  param: z.string().nullable(),
  code: z.string(),
});

/** Every failure. */
export const errorSchema = error.extend({ object: z.literal("error"), error });

/** Every failure of /v1/messages. */
export const messagesErrorSchema = z.object({
  type: z.literal("error"),
  error: z.object({ type: z.string(), message: z.string() }),
  request_id: z.string(),
});

export const modelSchema = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: integer,
  owned_by: z.string(),
  root: z.string(),
  ready: z.boolean(),
  max_model_len: integer.nullable(),
  type: z.literal("base"),
  max_context_length: integer.nullable(),
  aliases: z.array(z.string()),
  capabilities: z.record(z.string(), z.boolean()),
});

export const modelListSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) });

export const tokenizeResponseSchema = z.object({
  count: integer,
  max_model_len: integer.nullable(),
  tokens: z.union([z.array(integer), z.array(z.object({ id: integer, piece: z.string() }))]),
  token_strs: z.array(z.string()).nullable(),
});

/** Of /v1/messages/count_tokens. */
export const tokenCountSchema = z.object({ input_tokens: integer });

export const detokenizeResponseSchema = z.object({ prompt: z.string(), content: z.string() });

export const tokenizerInfoSchema = z.object({
  tokenizer_class: z.string(),
  vocab_size: integer,
  bos_token: z.string().nullable(),
  eos_token: z.string().nullable(),
  unk_token: z.string().nullable(),
  pad_token: z.string().nullable(),
  chat_template: z.string().nullable(),
  model_max_length: integer.nullable(),
});

export const streamCancelledSchema = z.object({
  id: z.string(),
  object: z.literal("stream"),
  cancelled: z.literal(true),
});
