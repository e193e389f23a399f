import { timed } from "@rhone/common";
import { z } from "zod";
import { answerBytes } from "../answers/answer-bytes.js";
import { EmbeddingWriter } from "../answers/embedding-writer.js";
import { refuseParam, unsupported } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";
import { texts, tokenIdLists, tokenIds } from "./long-fields.js";
import { frameOf, jobsOf, type OpenRequest, openRequest, type Prepare, truncatePrompt } from "./prepare.js";
import { generationSchema, modelName, optional, parseRequest } from "./request-fields.js";

/** Most inputs of one request, as at OpenAI. */
const MOST_INPUTS = 2048;
/** Inputs of one request that are queued or running at a time. */
const AT_ONCE = 64;

const text = z.string().min(1, "must not be empty");
const input = z.union(
  [text, texts(MOST_INPUTS), tokenIds, tokenIdLists(MOST_INPUTS)],
  `must be a text, a list of token ids, or up to ${MOST_INPUTS} texts or lists of token ids, none of them empty`,
);

/** POST /v1/embeddings: the fields of OpenAI, Mistral (`output_*`) and vLLM (the last two). */
export const embeddingRequestSchema = z.object({
  model: modelName,
  input,
  encoding_format: optional(z.enum(["float", "base64"])),
  dimensions: optional(z.number().int().min(1)),
  output_dimension: optional(z.number().int().min(1)),
  output_dtype: optional(z.literal("float")),
  add_special_tokens: optional(z.boolean()),
  truncate_prompt_tokens: optional(z.number().int().min(1).max(0x7fffffff)),
});
type EmbeddingRequest = Readonly<z.infer<typeof embeddingRequestSchema>>;

/** Nothing is sampled, and few prompts share a beginning worth caching. */
const NOTHING_SAMPLED = generationSchema.parse({ cache_prompt: false, seed: 0 });

/** Prepares embeddings: the mean of an input's hidden states after the final norm, L2-normalised. */
export const prepareEmbeddings: Prepare = async (preparation, body, arrival) => {
  const fields = parseRequest(embeddingRequestSchema, body);
  const inputs = inputsOf(fields);
  const shared = { ...NOTHING_SAMPLED, model: fields.model };
  const request = await openRequest({ preparation, arrival, prefix: "embd-", fields: shared });
  checkDimensions(fields, request.model);
  const jobs = await jobsOf(request, {
    prompts: await timed(arrival.span, "tokenize", () => readInputs(request, inputs, fields)),
    paramOf: paramOf(inputs),
    samples: 1,
    maxTokens: 0,
    pooling: "mean",
  });
  const { id, modelName } = frameOf(request);
  const encoding = fields.encoding_format ?? "float";
  const writer = new EmbeddingWriter({ id, modelName, inputs: inputs.length, encoding });
  const bytes = answerBytes(jobs, { stream: false, dim: request.model.dim });
  return { jobs, statesLimit: true, answerBytes: bytes, stream: false, resumable: false, writer, atOnce: AT_ONCE };
};

/** A shortened vector is meaningless unless the model was trained for it, and these models were not. */
function checkDimensions(fields: EmbeddingRequest, { name, dim }: TextModel): void {
  for (const param of ["dimensions", "output_dimension"] as const) {
    const asked = fields[param];
    if (asked === undefined || asked === dim) continue;
    throw unsupported(param, `${param}: ${name} has embeddings of ${dim} dimensions only, not ${asked}; leave it out.`);
  }
}

interface EmbeddingInput {
  readonly value: string | readonly number[];
  /** The name by which refusals call it. */
  readonly param: string;
}

const paramOf =
  (inputs: readonly EmbeddingInput[]) =>
  (index: number): string =>
    inputs[index]?.param ?? "input";

/** The inputs of a request, one by one. */
function inputsOf({ input }: EmbeddingRequest): readonly EmbeddingInput[] {
  if (typeof input === "string") return [{ value: input, param: "input" }];
  if (typeof input[0] === "number") return [{ value: input as number[], param: "input" }];
  return (input as string[] | number[][]).map((value, index) => {
    const param = `input.${index}`;
    if (value.length === 0) refuseParam(param, " must not be empty.");
    return { value, param };
  });
}

/** Token ids are taken as they are; toJobs refuses ids outside the vocabulary. */
async function readInputs(
  { model, arrival: { owner } }: OpenRequest,
  inputs: readonly EmbeddingInput[],
  { add_special_tokens: addSpecial = true, truncate_prompt_tokens: most }: EmbeddingRequest,
): Promise<readonly (readonly number[])[]> {
  const texts = inputs.flatMap(({ value }) => (typeof value === "string" ? [value] : []));
  const encoded = await model.encodeTexts(texts, { addSpecial, last: most, owner, paramOf: paramOf(inputs) });
  // A request's inputs are all texts, or all lists of ids.
  return inputs.map(({ value }, i) => truncatePrompt(typeof value === "string" ? (encoded[i] ?? []) : value, most));
}
