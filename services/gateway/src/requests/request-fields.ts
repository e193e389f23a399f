import { z } from "zod";

/** A field that may be absent or null. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const tokenId = z.number().int().min(0).max(0x7fffffff);

const logitBias = z.record(z.string().regex(/^\d{1,10}$/, "keys are token ids"), z.number().min(-100).max(100));

/** What both generation endpoints take. Unknown fields are ignored. */
export const generationFields = {
  model: optional(z.string()),
  temperature: optional(z.number().min(0).max(2)),
  top_p: optional(z.number().gt(0).max(1)),
  top_k: optional(z.number().int().min(-1).max(0x7fffffff)),
  min_p: optional(z.number().min(0).max(1)),
  repetition_penalty: optional(z.number().min(0.01).max(10)),
  frequency_penalty: optional(z.number().min(-2).max(2)),
  presence_penalty: optional(z.number().min(-2).max(2)),
  seed: optional(z.number().int()),
  random_seed: optional(z.number().int()),
  logit_bias: optional(logitBias),
  max_tokens: optional(z.number().int().min(0).max(0x7fffffff)),
  min_tokens: optional(z.number().int().min(0).max(0x7fffffff)),
  stop: optional(z.union([z.string().min(1), z.array(z.string().min(1)).max(16)])),
  stop_token_ids: optional(z.array(tokenId).max(64)),
  ignore_eos: optional(z.boolean()),
  include_stop_str_in_output: optional(z.boolean()),
  skip_special_tokens: optional(z.boolean()),
  cache_prompt: optional(z.boolean()),
  cache_salt: optional(z.string().max(256)),
  n: optional(z.number().int().min(1).max(16)),
  stream: optional(z.boolean()),
  stream_options: optional(
    z.object({
      include_usage: optional(z.boolean()),
      continuous_usage_stats: optional(z.boolean()),
      resumable: optional(z.boolean()),
    }),
  ),
  return_token_ids: optional(z.boolean()),
  return_tokens_as_token_ids: optional(z.boolean()),
  truncate_prompt_tokens: optional(z.number().int().min(1).max(0x7fffffff)),
  prompt_logprobs: optional(z.number().int().min(0).max(20)),
} as const;

export const generationSchema = z.object(generationFields);
export type GenerationFields = z.infer<typeof generationSchema>;
