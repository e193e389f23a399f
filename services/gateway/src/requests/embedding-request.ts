import { z } from "zod";
import { optional } from "./request-fields.js";

/** Inputs of one request, as OpenAI has it. */
const MOST_INPUTS = 2048;

const text = z.string().min(1, "must not be empty");
const tokenIds = z.array(z.number().int().min(0)).min(1);

const input = z.union(
  [text, z.array(text).min(1).max(MOST_INPUTS), tokenIds, z.array(tokenIds).min(1).max(MOST_INPUTS)],
  `must be a text, up to ${MOST_INPUTS} texts, a list of token ids or up to ${MOST_INPUTS} such lists, none of them empty`,
);

/** POST /v1/embeddings: OpenAI's fields, Mistral's `output_*`, vLLM's `add_special_tokens` and `truncate_prompt_tokens`. */
export const embeddingRequestSchema = z.object({
  model: optional(z.string()),
  input,
  encoding_format: optional(z.enum(["float", "base64"])),
  dimensions: optional(z.number().int().min(1)),
  output_dimension: optional(z.number().int().min(1)),
  output_dtype: optional(z.literal("float", 'only "float" is built')),
  add_special_tokens: optional(z.boolean()),
  truncate_prompt_tokens: optional(z.number().int().min(1).max(0x7fffffff)),
});
export type EmbeddingRequest = z.infer<typeof embeddingRequestSchema>;

/** An input and the name by which refusals call it. */
export interface EmbeddingInput {
  readonly value: string | readonly number[];
  readonly param: string;
}

/** The inputs of a request, one by one. */
export function inputsOf({ input }: Pick<EmbeddingRequest, "input">): readonly EmbeddingInput[] {
  if (typeof input === "string") return [{ value: input, param: "input" }];
  if (typeof input[0] === "number") return [{ value: input as number[], param: "input" }];
  return (input as string[] | number[][]).map((value, index) => ({ value, param: `input.${index}` }));
}
