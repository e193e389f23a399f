import { z } from "zod";
import { JsonShape } from "../json-shape.js";
import { anyObject } from "../long-fields.js";
import { optional } from "../request-fields.js";

const jsonSchema = z.union([z.boolean(), anyObject], "must be a JSON schema");

/** As many as the source of a grammar may have. 8 MB took 1.5 s to parse. */
const LONGEST_SCHEMA = 512 * 1024;

/** vLLM's older fields take a schema as text, too. */
const schemaOrText = z.union(
  [jsonSchema, z.string().transform(parseSchema)],
  `must be a JSON schema, or its text of at most ${LONGEST_SCHEMA} characters`,
);

function parseSchema(text: string, context: z.RefinementCtx): z.output<typeof jsonSchema> {
  try {
    if (text.length > LONGEST_SCHEMA || new JsonShape().push(Buffer.from(text)) !== null) throw new RangeError();
    return jsonSchema.parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: "custom", message: "must be a JSON schema" });
    return z.NEVER;
  }
}

const choices = z.array(z.string()).min(1).max(4096);
const text = z.string().min(1);

const responseFormat = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object"), schema: optional(jsonSchema) }),
  z.object({
    type: z.literal("json_schema"),
    json_schema: optional(
      z.object({
        schema: optional(jsonSchema),
        schema_definition: optional(jsonSchema),
        strict: optional(z.boolean()),
      }),
    ),
    schema: optional(jsonSchema),
  }),
]);

/** Every field that says what an answer must look like: OpenAI's and Mistral's, vLLM's, and llama-server's. */
export const structuredFields = {
  response_format: optional(responseFormat),
  structured_outputs: optional(
    z.object({
      json: optional(schemaOrText),
      regex: optional(text),
      choice: optional(choices),
      grammar: optional(text),
      json_object: optional(z.boolean()),
    }),
  ),
  guided_json: optional(schemaOrText),
  guided_regex: optional(text),
  guided_choice: optional(choices),
  guided_grammar: optional(text),
  json_schema: optional(jsonSchema),
  grammar: optional(text),
} as const;

const structuredSchema = z.object(structuredFields);
export type StructuredFields = Readonly<z.infer<typeof structuredSchema>>;
