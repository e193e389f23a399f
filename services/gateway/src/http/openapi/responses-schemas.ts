import { z } from "zod";
import { warnings } from "./generation-schemas.js";

const integer = z.number().int();
const anything = z.record(z.string(), z.unknown());

const scored = { token: z.string(), logprob: z.number(), bytes: z.array(integer) };
const itemStatus = z.enum(["in_progress", "completed", "incomplete"]);

const outputText = z.object({
  type: z.literal("output_text"),
  text: z.string(),
  annotations: z.array(z.never()),
  logprobs: z.array(z.object({ ...scored, top_logprobs: z.array(z.object(scored)) })),
});

const outputMessage = z.object({
  id: z.string(),
  type: z.literal("message"),
  status: itemStatus,
  role: z.literal("assistant"),
  content: z.array(outputText),
});

const functionCall = z.object({
  id: z.string(),
  type: z.literal("function_call"),
  status: itemStatus,
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
});

/** A response, as it is generated, stored and streamed. */
export const responseSchema = z.object({
  id: z.string(),
  object: z.literal("response"),
  created_at: integer,
  status: z.enum(["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]),
  error: z.object({ code: z.enum(["server_error", "rate_limit_exceeded"]), message: z.string() }).nullable(),
  incomplete_details: z.object({ reason: z.literal("max_output_tokens") }).nullable(),
  warnings,
  model: z.string(),
  output: z.array(z.discriminatedUnion("type", [outputMessage, functionCall])),
  background: z.boolean(),
  instructions: z.string().nullable(),
  max_output_tokens: integer.nullable(),
  max_tool_calls: integer.optional(),
  metadata: z.record(z.string(), z.string()),
  parallel_tool_calls: z.boolean(),
  previous_response_id: z.string().nullable(),
  prompt_cache_key: z.string().nullable(),
  reasoning: z.object({ effort: z.null(), summary: z.null() }),
  safety_identifier: z.string().nullable(),
  service_tier: z.literal("default"),
  store: z.boolean(),
  temperature: z.number(),
  text: z.object({ format: anything, verbosity: z.literal("medium") }),
  tool_choice: z.union([z.string(), anything]),
  tools: z.array(anything),
  top_logprobs: integer,
  top_p: z.number(),
  truncation: z.enum(["auto", "disabled"]),
  user: z.string().optional(),
  usage: z
    .object({
      input_tokens: integer,
      input_tokens_details: z.object({ cached_tokens: integer, cache_write_tokens: integer }),
      output_tokens: integer,
      output_tokens_details: z.object({ reasoning_tokens: z.literal(0) }),
      total_tokens: integer,
    })
    .optional(),
});

export const inputTokensSchema = z.object({ object: z.literal("response.input_tokens"), input_tokens: integer });

export const responseDeletedSchema = z.object({
  id: z.string(),
  object: z.literal("response"),
  deleted: z.literal(true),
});

const inputText = z.object({ type: z.literal("input_text"), text: z.string() });
const refusal = z.object({ type: z.literal("refusal"), refusal: z.string() });

/** A page of what a response answers to. */
export const inputItemListSchema = z.object({
  object: z.literal("list"),
  data: z.array(
    z.discriminatedUnion("type", [
      z.object({
        id: z.string(),
        type: z.literal("message"),
        status: itemStatus,
        role: z.enum(["system", "developer", "user", "assistant"]),
        content: z.array(z.discriminatedUnion("type", [inputText, outputText, refusal])),
      }),
      functionCall,
      z.object({
        id: z.string(),
        type: z.literal("function_call_output"),
        status: itemStatus,
        call_id: z.string(),
        output: z.union([z.string(), z.array(inputText)]),
      }),
    ]),
  ),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
});
