import { explainRefusal } from "@rhone/common";
import { z } from "zod";
import { RequestError, unsupported } from "../request-error.js";
import { listOf, logitBias } from "./long-fields.js";

/** A field that may be absent or null. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

/** Refusals repeat the name. */
export const modelName = optional(z.string().max(256));

const tokenId = z.number().int().min(0).max(0x7fffffff);

const MOST_STOPS = 16;
/** Longest text at which an answer stops, in characters: that much of it is held back until it is certain. */
const LONGEST_STOP = 4096;
const stopText = z.string().min(1).max(LONGEST_STOP);
export const stopTexts = listOf(stopText, MOST_STOPS);

/** The fields that all generation endpoints take. Unknown fields are ignored. */
export const generationFields = {
  model: modelName,
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
  stop: optional(z.union([stopText, stopTexts])),
  stop_token_ids: optional(listOf(tokenId, 64)),
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
export type GenerationFields = Readonly<z.infer<typeof generationSchema>>;

/**
 * The body as `schema` reads it. Throws INVALID_REQUEST that names the first bad field as `param`, also for a field
 * that would change the answer but that the schema lacks.
 */
export function parseRequest<S extends z.ZodObject>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body ?? {}, { reportInput: true });
  if (!parsed.success) throw badField(parsed.error);
  refuseUnsupported(body, schema.shape);
  return parsed.data;
}

function badField(error: z.ZodError): RequestError {
  const { path, problem } = explainRefusal(error, "The body");
  return new RequestError("INVALID_REQUEST", `${problem}.`, path === "" ? {} : { param: path });
}

type Fields = Readonly<Record<string, unknown>>;

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;
const isFilled = (value: unknown): boolean => isSet(value) && !(Array.isArray(value) && value.length === 0);
const differsFrom = (neutral: unknown) => (value: unknown) => isSet(value) && value !== neutral;

/** Fields of other servers that would change the answer, and when: ignoring them silently would be wrong. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  tools: isFilled,
  functions: isFilled,
  tool_choice: (value) => isSet(value) && value !== "none" && value !== "auto",
  function_call: (value) => isSet(value) && value !== "none" && value !== "auto",
  use_beam_search: isSet,
  bad_words: isFilled,
  allowed_token_ids: isFilled,
  chat_template: isFilled,
  samplers: isFilled,
  dry_multiplier: differsFrom(0),
  xtc_probability: differsFrom(0),
  typical_p: differsFrom(1),
  mirostat: differsFrom(0),
  audio: isSet,
};

/** Throws INVALID_REQUEST (`unsupported_parameter`) for the first such field that the endpoint does not know. */
function refuseUnsupported(body: unknown, known: Fields): void {
  if (typeof body !== "object" || body === null) return;
  const fields = body as Fields;
  for (const [name, refuses] of Object.entries(REFUSED)) {
    if (!Object.hasOwn(known, name) && refuses(fields[name])) {
      throw unsupported(name, `${name} is not supported with this value; leave it out.`);
    }
  }
}
