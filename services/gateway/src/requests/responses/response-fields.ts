import { z } from "zod";
import { refuseParam, unsupported } from "../../request-error.js";
import { anyObject, entriesOf, listOf } from "../long-fields.js";
import { generationFields, optional, parseLongRequest, truthText, wholeText } from "../request-fields.js";
import { functionName, isFilled, MOST_TOOLS, toolList } from "../tools/tool-fields.js";
import { inputSchema } from "./response-items.js";
import { refuseUnsupportedParts } from "./unsupported-parts.js";

const tool = z.object({
  type: z.literal("function"),
  name: functionName,
  description: optional(z.string()),
  parameters: optional(anyObject),
  strict: optional(z.boolean()),
});

const namedFunction = z.object({ type: z.literal("function"), name: z.string() });

const toolChoice = z.union(
  [
    z.enum(["none", "auto", "required"]),
    namedFunction,
    z.object({
      type: z.literal("allowed_tools"),
      mode: z.enum(["auto", "required"]),
      tools: listOf(namedFunction, MOST_TOOLS).refine(isFilled, "must name at least one function"),
    }),
  ],
  'must be none, auto, required, {"type": "function", "name": …} or {"type": "allowed_tools", …}',
);

const format = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    name: optional(z.string().max(64)),
    description: optional(z.string()),
    schema: anyObject,
    strict: optional(z.boolean()),
  }),
]);

const label = optional(z.string().max(512));

/** The values of `include`. All but the log-probabilities are about tools and inputs that no response here has. */
const includable = z.enum([
  "message.output_text.logprobs",
  "reasoning.encrypted_content",
  "file_search_call.results",
  "web_search_call.results",
  "web_search_call.action.sources",
  "message.input_image.image_url",
  "computer_call_output.output.image_url",
  "code_interpreter_call.outputs",
]);

const includes = optional(listOf(includable, 16));

const { model, temperature, top_p, top_k, min_p, seed, stop, repetition_penalty, cache_salt } = generationFields;
const { presence_penalty, frequency_penalty, ignore_eos, min_tokens } = generationFields;

/** POST /v1/responses. The last line's fields are vLLM's. */
export const responseRequestSchema = z.object({
  model,
  input: optional(inputSchema),
  instructions: optional(z.string()),
  previous_response_id: optional(z.string().max(128)),
  store: optional(z.boolean()),
  background: optional(z.boolean()),
  stream: optional(z.boolean()),
  stream_options: optional(z.object({ include_obfuscation: optional(z.boolean()), resumable: optional(z.boolean()) })),
  max_output_tokens: optional(z.number().int().min(1).max(0x7fffffff)),
  max_tool_calls: optional(z.number().int().min(0)),
  temperature,
  top_p,
  top_logprobs: optional(z.number().int().min(0).max(20)),
  include: includes,
  tools: optional(toolList(tool)),
  tool_choice: optional(toolChoice),
  parallel_tool_calls: optional(z.boolean()),
  text: optional(z.object({ format: optional(format), verbosity: optional(z.enum(["low", "medium", "high"])) })),
  truncation: optional(z.enum(["auto", "disabled"])),
  metadata: optional(entriesOf(z.record(z.string().min(1).max(64), z.string().max(512)), 16)),
  reasoning: optional(anyObject),
  service_tier: optional(z.enum(["auto", "default", "flex", "scale", "priority"])),
  user: label,
  safety_identifier: label,
  prompt_cache_key: label,
  prompt_cache_retention: optional(z.enum(["in_memory", "in-memory", "24h"])),
  ...{
    top_k,
    min_p,
    seed,
    stop,
    repetition_penalty,
    presence_penalty,
    frequency_penalty,
    ignore_eos,
    min_tokens,
    cache_salt,
  },
});
export type ResponseRequest = Readonly<z.output<typeof responseRequestSchema>>;

/** Fields that would change the answer, of this API or of chats, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  conversation: "send previous_response_id",
  prompt: "send instructions and input",
  context_management: "send truncation",
  moderation: "leave it out",
  prompt_cache_options: "leave it out",
  messages: "send input",
  max_tokens: "send max_output_tokens",
};

const LOGPROBS = 'send include: ["message.output_text.logprobs"]';

/** What to do instead of chats' other fields. */
const INSTEAD = {
  max_completion_tokens: "send max_output_tokens",
  n_predict: "send max_output_tokens",
  response_format: "send text.format",
  structured_outputs: "send text.format",
  logprobs: LOGPROBS,
  n_probs: LOGPROBS,
  functions: "send tools",
  function_call: "send tool_choice",
  repeat_penalty: "send repetition_penalty",
  random_seed: "send seed",
  stop_token_ids: "send stop",
  n: "send the request several times",
};

/** Throws INVALID_REQUEST that names the field. */
export async function readResponseRequest(body: unknown): Promise<ResponseRequest> {
  refuseUnsupportedParts(body);
  const fields = await parseLongRequest(responseRequestSchema, body, INSTEAD);
  const given = (body ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, instead] of Object.entries(REFUSED))
    if (given[name] != null && given[name] !== false) throw unsupported(name, `${name} is not supported; ${instead}.`);
  if (fields.stream_options !== undefined && fields.stream !== true)
    refuseParam("stream_options", " needs stream: true.");
  if (fields.stream_options?.include_obfuscation === true)
    throw unsupported(
      "stream_options.include_obfuscation",
      "stream_options.include_obfuscation is not supported; leave it out.",
    );
  const { verbosity = "medium" } = fields.text ?? {};
  if (verbosity !== "medium")
    throw unsupported(
      "text.verbosity",
      `text.verbosity: this model has no verbosity ${verbosity}; ask for it in instructions.`,
    );
  return fields;
}

/** `include` and `include[]`, as clients write lists into a query. */
const queryIncludes = { include: optional(z.unknown()), "include[]": optional(z.unknown()) };

/** GET /v1/responses/:id. */
export const responseQuerySchema = z.object({
  stream: optional(truthText),
  starting_after: optional(wholeText(0)),
  include_obfuscation: optional(truthText),
  ...queryIncludes,
});

/** GET /v1/responses/:id/input_items. */
export const inputItemsQuerySchema = z.object({
  after: optional(z.string().max(128)),
  limit: optional(wholeText(1, 100)),
  order: optional(z.enum(["asc", "desc"])),
  ...queryIncludes,
});
