import { z } from "zod";
import { generationFields, optional } from "./request-fields.js";

/** Samples per prompt from which the best are chosen. */
const MOST_CANDIDATES = 20;

const tokenIds = z.array(z.number().int().min(0)).min(1);

const prompt = z.union(
  [z.string(), z.array(z.string()).min(1), tokenIds, z.array(tokenIds).min(1)],
  "must be a text, a list of texts, a list of token ids or a list of such lists",
);

/** POST /v1/completions. */
export const completionRequestSchema = z.object({
  ...generationFields,
  prompt,
  echo: optional(z.boolean()),
  logprobs: optional(z.number().int().min(0).max(20)),
  best_of: optional(z.number().int().min(1).max(MOST_CANDIDATES)),
  suffix: optional(z.string()),
  add_special_tokens: optional(z.boolean()),
});
export type CompletionRequest = z.infer<typeof completionRequestSchema>;

/** The prompts of a request, one by one: a text or token ids. */
export function promptsOf({ prompt }: CompletionRequest): readonly (string | readonly number[])[] {
  if (typeof prompt === "string") return [prompt];
  return typeof prompt[0] === "number" ? [prompt as number[]] : (prompt as string[] | number[][]);
}
