import { RhoneError } from "@rhone/common";
import type { GrammarSource, JsonSchema } from "@rhone/grammar";
import { RequestError } from "../../request-error.js";
import type { StructuredFields } from "./structured-fields.js";

const ANY_OBJECT: JsonSchema = { type: "object" };

/** What a request asks its answer to match, if anything. Throws INVALID_REQUEST that names the field. */
export function askedSource(fields: StructuredFields): GrammarSource | undefined {
  const [first, second] = [...responseFormat(fields), ...structuredOutputs(fields), ...guided(fields)];
  if (first === undefined || second === undefined) return first;
  const message = `${second.param} and ${first.param} exclude each other.`;
  throw new RequestError("INVALID_REQUEST", message, { param: second.param });
}

/** Fields that know no `strict` are there to be obeyed. */
const schemaSource = (param: string, schema: JsonSchema, strict = true): GrammarSource => ({
  kind: "schema",
  param,
  schema,
  strict,
});
const ebnfSource = (param: string, grammar: string): GrammarSource => ({ kind: "ebnf", param, grammar });

function responseFormat({ response_format: format }: StructuredFields): GrammarSource[] {
  const param = "response_format";
  if (format?.type === "json_object") return [schemaSource(param, format.schema ?? ANY_OBJECT)];
  if (format?.type !== "json_schema") return [];
  const schema = format.json_schema?.schema ?? format.json_schema?.schema_definition ?? format.schema;
  if (schema !== undefined) return [schemaSource(param, schema, format.json_schema?.strict ?? false)];
  const message = `${param}.json_schema: needs a schema.`;
  throw new RequestError("INVALID_REQUEST", message, { param: `${param}.json_schema` });
}

function structuredOutputs({ structured_outputs: outputs = {} as never }: StructuredFields): GrammarSource[] {
  const { json, regex, choice, grammar, json_object } = outputs;
  const asked = kinds("structured_outputs.", { json, regex, choice, grammar });
  return json_object === true ? [...asked, schemaSource("structured_outputs.json_object", ANY_OBJECT)] : asked;
}

function guided(fields: StructuredFields): GrammarSource[] {
  const { guided_json: json, guided_regex: regex, guided_choice: choice, guided_grammar: grammar } = fields;
  const { json_schema: schema, grammar: ebnf } = fields;
  return [
    ...kinds("guided_", { json, regex, choice, grammar }),
    ...(schema === undefined ? [] : [schemaSource("json_schema", schema)]),
    ...(ebnf === undefined ? [] : [ebnfSource("grammar", ebnf)]),
  ];
}

interface Kinds {
  readonly json: JsonSchema | undefined;
  readonly regex: string | undefined;
  readonly choice: readonly string[] | undefined;
  readonly grammar: string | undefined;
}

function kinds(prefix: string, { json, regex: pattern, choice: choices, grammar }: Kinds): GrammarSource[] {
  return [
    ...(json === undefined ? [] : [schemaSource(`${prefix}json`, json)]),
    ...(pattern === undefined ? [] : [{ kind: "regex", param: `${prefix}regex`, pattern } as const]),
    ...(choices === undefined ? [] : [{ kind: "choice", param: `${prefix}choice`, choices } as const]),
    ...(grammar === undefined ? [] : [ebnfSource(`${prefix}grammar`, grammar)]),
  ];
}

/** What to do about a grammar that takes too much time or memory. */
const CHEAPER =
  "ask for fewer alternatives, fields or tools, or for shorter repetitions, or raise the gateway's " +
  "--grammar-timeout-ms or --grammar-memory";

/** Turns an error about a grammar into one about the field that asked for it. */
export function refusal(param: string, error: unknown): unknown {
  if (!(error instanceof RhoneError) || !["INVALID_REQUEST", "GRAMMAR_TOO_COSTLY"].includes(error.code)) return error;
  const field = error.param ?? param;
  const advice = error.code === "GRAMMAR_TOO_COSTLY" ? `; ${CHEAPER}` : "";
  return new RequestError(error.code, `${field} ${error.message}${advice}.`, { param: field });
}
