import { explainRefusal } from "@rhone/common";
import { z } from "zod";
import { RequestError, unsupported } from "../request-error.js";
import { listOf, logitBias, readBody, readBodyInTurns } from "./long-fields.js";

/** A field that may be absent or null. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

/** A whole number of a query or a form, by its digits: Number() takes "" for 0, and "0x10" and " 1 " for numbers. */
export const wholeText = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(
    (given) => (typeof given === "string" && /^-?\d{1,16}$/.test(given) ? Number(given) : given),
    z.number().int().min(least).max(most),
  );

/** Yes or no in a query. */
export const truthText = z.stringbool({ truthy: ["true", "1"], falsy: ["false", "0"] });

/** Refusals repeat the name. */
export const modelName = optional(z.string().max(256));

/** The model that a GET is about. */
export const modelQuerySchema = z.object({ model: modelName });

const tokenId = z.number().int().min(0).max(0x7fffffff);

const isInt64 = (value: unknown): boolean =>
  (typeof value === "bigint" || Number.isInteger(value)) &&
  BigInt.asIntN(64, BigInt(value as number)) === BigInt(value as number);

/** A bigint beyond 2^53, where a number would be another one. */
const seed = z
  .custom<number | bigint>(isInt64, "must be a whole number from -2^63 to 2^63 - 1")
  .meta({ type: "integer", format: "int64" });

/** `instead`: what clients do that ask other servers for an answer without a limit, by -1. */
export const answerTokens = (instead: string) =>
  optional(
    z
      .number()
      .int()
      .min(0, { error: ({ input }) => (input === -1 ? `must be 1 or more; ${instead}` : undefined) })
      .max(0x7fffffff),
  );
export const UNTIL_FULL = "leave it out for an answer that may fill the context";

const MOST_STOPS = 16;
/** Longest text at which an answer stops, in characters: that much of it is held back until it is certain. */
const LONGEST_STOP = 4096;
const stopText = z.string().min(1).max(LONGEST_STOP);
export const stopTexts = listOf(stopText, MOST_STOPS);

/** The fields that all generation endpoints take. Unknown fields are ignored. */
export const generationFields = {
  model: modelName,
  temperature: optional(z.number().min(0).max(2)),
  /** 0 = greedy. */
  top_p: optional(z.number().min(0).max(1)),
  top_k: optional(z.number().int().min(-1).max(0x7fffffff)),
  min_p: optional(z.number().min(0).max(1)),
  repetition_penalty: optional(z.number().min(0.01).max(10)),
  frequency_penalty: optional(z.number().min(-2).max(2)),
  presence_penalty: optional(z.number().min(-2).max(2)),
  seed: optional(seed),
  random_seed: optional(seed),
  logit_bias: optional(logitBias),
  max_tokens: answerTokens(UNTIL_FULL),
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
 * that would change the answer but that the schema lacks. `instead`: of an API with names of its own, what to do
 * instead of chats' fields.
 */
export function parseRequest<S extends z.ZodObject>(schema: S, body: unknown, instead?: Instead): z.output<S> {
  return fieldsOf(readBody(schema, body ?? {}), { schema, body, instead });
}

/** The same of a body with a list that is read in turns. */
export async function parseLongRequest<S extends z.ZodObject>(
  schema: S,
  body: unknown,
  instead?: Instead,
): Promise<z.output<S>> {
  return fieldsOf(await readBodyInTurns(schema, body ?? {}), { schema, body, instead });
}

interface Read {
  readonly schema: z.ZodObject;
  readonly body: unknown;
  readonly instead: Instead | undefined;
}

function fieldsOf<S extends z.ZodType>(parsed: ReturnType<typeof readBody<S>>, { schema, body, instead }: Read) {
  if (!parsed.success) throw badField(parsed.error);
  refuseUnsupported(body, schema.shape, instead);
  return parsed.data;
}

type Instead = Readonly<Record<string, string>>;

/** Throws INVALID_REQUEST (`unsupported_parameter`) for the first of `names` by which a list is to be filtered. */
export function refuseFilters(query: unknown, names: readonly string[]): void {
  const name = names.find((each) => isSet((query as Fields)[each]));
  if (name !== undefined) throw unsupported(name, `${name}: this list cannot be filtered by it; leave it out.`);
}

function badField(error: Pick<z.ZodError, "issues">): RequestError {
  const { path, problem } = explainRefusal(error, "The body");
  return new RequestError("INVALID_REQUEST", `${problem}.`, path === "" ? {} : { param: path });
}

type Fields = Readonly<Record<string, unknown>>;

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;
const isFilled = (value: unknown): boolean => isSet(value) && !(Array.isArray(value) && value.length === 0);
const differsFrom = (neutral: unknown) => (value: unknown) => isSet(value) && value !== neutral;

const isFilledObject = (value: unknown): boolean => isSet(value) && Object.keys(value as object).length > 0;
const isNotText = (value: unknown): boolean => isSet(value) && (value as { readonly type?: unknown }).type !== "text";
const isChoice = (value: unknown): boolean => isSet(value) && value !== "none" && value !== "auto";
const asksForSound = (value: unknown): boolean => Array.isArray(value) && value.some((one) => one !== "text");

type Refused = Readonly<Record<string, (value: unknown) => boolean>>;

/** Fields of other servers that would change the answer, and when: ignoring them silently would be wrong. */
const OF_OTHER_SERVERS: Refused = {
  tools: isFilled,
  functions: isFilled,
  tool_choice: isChoice,
  function_call: isChoice,
  audio: isSet,
  modalities: asksForSound,
  web_search_options: isSet,
  prompt_mode: isSet,
  guardrails: isFilled,
  use_beam_search: isSet,
  length_penalty: differsFrom(1),
  bad_words: isFilled,
  allowed_token_ids: isFilled,
  logits_processors: isFilled,
  chat_template: isFilled,
  truncation_side: differsFrom("left"),
  n_predict: differsFrom(-1),
  n_probs: differsFrom(0),
  n_keep: differsFrom(0),
  samplers: isFilled,
  repeat_penalty: differsFrom(1),
  dry_multiplier: differsFrom(0),
  xtc_probability: differsFrom(0),
  dynatemp_range: differsFrom(0),
  top_n_sigma: differsFrom(-1),
  typical_p: differsFrom(1),
  mirostat: differsFrom(0),
};

/** The same for fields that chats and completions have, and APIs with names of their own lack. */
const OF_CHATS: Refused = {
  n: differsFrom(1),
  stop: isFilled,
  stop_token_ids: isFilled,
  random_seed: isSet,
  min_p: differsFrom(0),
  repetition_penalty: differsFrom(1),
  frequency_penalty: differsFrom(0),
  presence_penalty: differsFrom(0),
  logit_bias: isFilledObject,
  min_tokens: differsFrom(0),
  ignore_eos: isSet,
};

/** The same for fields that some endpoint here that generates text has, and others lack. */
const OF_OTHER_ENDPOINTS: Refused = {
  max_completion_tokens: isSet,
  best_of: differsFrom(1),
  echo: isSet,
  suffix: differsFrom(""),
  logprobs: isSet,
  top_logprobs: isSet,
  safe_prompt: isSet,
  continue_final_message: isSet,
  chat_template_kwargs: isFilledObject,
  add_special_tokens: isSet,
  response_format: isNotText,
  structured_outputs: isFilledObject,
  guided_json: isSet,
  guided_regex: isSet,
  guided_choice: isSet,
  guided_grammar: isSet,
  json_schema: isSet,
  grammar: isSet,
};

/** What to do instead, for fields with another name here. */
const INSTEAD: Readonly<Record<string, string>> = {
  max_completion_tokens: "send max_tokens",
  n_predict: "send max_tokens",
  n_probs: "send logprobs",
  repeat_penalty: "send repetition_penalty",
  truncation_side: "the end of a prompt is kept; leave it out",
};

/** Throws INVALID_REQUEST (`unsupported_parameter`) for the first such field that the endpoint does not know. */
function refuseUnsupported(body: unknown, known: Fields, own: Instead | undefined): void {
  if (typeof body !== "object" || body === null) return;
  const fields = body as Fields;
  const generates = own !== undefined || Object.hasOwn(known, "max_tokens");
  const refused = { ...OF_OTHER_SERVERS, ...(generates && OF_OTHER_ENDPOINTS), ...(own !== undefined && OF_CHATS) };
  const instead = own ?? INSTEAD;
  for (const [name, refuses] of Object.entries(refused)) {
    if (!Object.hasOwn(known, name) && refuses(fields[name]))
      throw unsupported(name, `${name} is not supported with this value; ${instead[name] ?? "leave it out"}.`);
  }
}
