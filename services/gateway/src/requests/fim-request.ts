import { z } from "zod";
import { generationFields, optional } from "./request-fields.js";

/** POST /v1/fim/completions. */
export const fimRequestSchema = z.object({
  ...generationFields,
  prompt: z.string(),
  suffix: optional(z.string()),
});
export type FimRequest = z.infer<typeof fimRequestSchema>;
