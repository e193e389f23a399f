import { RhoneError } from "@rhone/common";
import { choiceGrammar, type JsonSchema, jsonSchemaGrammar, regexTextGrammar } from "@rhone/grammar";
import { RequestError } from "../../request-error.js";
import type { StructuredFields } from "./structured-fields.js";

export interface NamedGrammar {
  /** The field that asks for it. */
  readonly param: string;
  /** EBNF with a rule `root`. */
  readonly grammar: string;
}

const ANY_OBJECT: JsonSchema = { type: "object" };

/** The grammar that a request asks for, if any. Throws INVALID_REQUEST that names the field. */
export function grammarOf(fields: StructuredFields): NamedGrammar | undefined {
  const asked = [...responseFormat(fields), ...structuredOutputs(fields), ...guided(fields)];
  const [first, second] = asked;
  if (first === undefined) return undefined;
  if (second !== undefined) {
    const message = `${second.param} and ${first.param} exclude each other.`;
    throw new RequestError("INVALID_REQUEST", message, { param: second.param });
  }
  return { param: first.param, grammar: explained(first.param, first.make) };
}

interface Asked {
  readonly param: string;
  readonly make: () => string;
}

function responseFormat({ response_format: format }: StructuredFields): Asked[] {
  const param = "response_format";
  if (format?.type === "json_object") return [{ param, make: () => jsonSchemaGrammar(format.schema ?? ANY_OBJECT) }];
  if (format?.type !== "json_schema") return [];
  const schema = format.json_schema?.schema ?? format.json_schema?.schema_definition ?? format.schema;
  if (schema === undefined) {
    const message = `${param}.json_schema: needs a schema.`;
    throw new RequestError("INVALID_REQUEST", message, { param: `${param}.json_schema` });
  }
  return [{ param, make: () => jsonSchemaGrammar(schema) }];
}

function structuredOutputs({ structured_outputs: outputs = {} as never }: StructuredFields): Asked[] {
  const { json, regex, choice, grammar, json_object } = outputs;
  const asked = kinds("structured_outputs.", { json, regex, choice, grammar });
  const param = "structured_outputs.json_object";
  return json_object === true ? [...asked, { param, make: () => jsonSchemaGrammar(ANY_OBJECT) }] : asked;
}

function guided(fields: StructuredFields): Asked[] {
  const { guided_json: json, guided_regex: regex, guided_choice: choice, guided_grammar: grammar } = fields;
  const { json_schema: schema, grammar: ebnf } = fields;
  return [
    ...kinds("guided_", { json, regex, choice, grammar }),
    ...(schema === undefined ? [] : [{ param: "json_schema", make: () => jsonSchemaGrammar(schema) }]),
    ...(ebnf === undefined ? [] : [{ param: "grammar", make: () => ebnf }]),
  ];
}

interface Kinds {
  readonly json: JsonSchema | undefined;
  readonly regex: string | undefined;
  readonly choice: readonly string[] | undefined;
  readonly grammar: string | undefined;
}

function kinds(prefix: string, { json, regex, choice, grammar }: Kinds): Asked[] {
  return [
    ...(json === undefined ? [] : [{ param: `${prefix}json`, make: () => jsonSchemaGrammar(json) }]),
    ...(regex === undefined ? [] : [{ param: `${prefix}regex`, make: () => regexTextGrammar(regex) }]),
    ...(choice === undefined ? [] : [{ param: `${prefix}choice`, make: () => choiceGrammar(choice) }]),
    ...(grammar === undefined ? [] : [{ param: `${prefix}grammar`, make: () => grammar }]),
  ];
}

function explained(param: string, make: () => string): string {
  try {
    return make();
  } catch (error) {
    throw refusal(param, error);
  }
}

/** Turns an error about a grammar into one about the field that asked for it. */
export function refusal(param: string, error: unknown): unknown {
  if (!(error instanceof RhoneError) || error.code !== "INVALID_REQUEST") return error;
  return new RequestError("INVALID_REQUEST", `${param} ${error.message}.`, { param });
}
