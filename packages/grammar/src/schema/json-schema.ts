import { refuseSchema } from "../refusals.js";
import type { Place } from "./waivers.js";

/** A JSON schema as it was sent: true, false, or an object whose keywords are not checked yet. */
export type JsonSchema = boolean | Keywords;
export type Keywords = { readonly [keyword: string]: unknown };

export const isObject = (value: unknown): value is Keywords =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The keywords with which any version of JSON Schema, or OpenAPI's, restricts values. All others are annotations, as
 * JSON Schema says.
 */
const RESTRICTING = new Set([
  ...["type", "enum", "const", "nullable", "format"],
  ...["multipleOf", "divisibleBy", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  ...["minLength", "maxLength", "pattern"],
  ...["items", "prefixItems", "additionalItems", "unevaluatedItems", "minItems", "maxItems", "uniqueItems"],
  ...["contains", "minContains", "maxContains"],
  ...["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"],
  ...["required", "minProperties", "maxProperties"],
  ...["dependencies", "dependentRequired", "dependentSchemas", "if", "then", "else"],
  ...["allOf", "anyOf", "oneOf", "not", "disallow", "extends", "$ref", "$dynamicRef", "$recursiveRef"],
]);

/** The keywords of a schema that restrict values, without those set to a value that restricts none. */
export function assertions(schema: Keywords): Keywords {
  const restricts = ([key, value]: [string, unknown]) =>
    RESTRICTING.has(key) && value !== undefined && !isIdle(key, value);
  return Object.fromEntries(Object.entries(withNull(schema)).filter(restricts));
}

/** OpenAPI says `nullable` beside a type for what JSON Schema says with the type null. */
export function withNull(schema: Keywords): Keywords {
  if (schema.nullable !== true || schema.type === undefined) return schema;
  return { ...schema, nullable: undefined, type: [...new Set([schema.type, "null"].flat())] };
}

function isIdle(key: string, value: unknown): boolean {
  if (key === "propertyNames") return value === true || (isObject(value) && allowsEveryText(value));
  // In draft 3 a property says itself whether it is required, which the object around it reads.
  if (key === "required") return typeof value === "boolean";
  return (key === "uniqueItems" || key === "nullable") && value === false;
}

function allowsEveryText(schema: Keywords): boolean {
  const { type = "string", ...others } = assertions(schema);
  return type === "string" && Object.keys(others).length === 0;
}

/** Waives every restricting keyword that is not among `known`. */
export function checkKeywords(schema: Keywords, known: readonly string[], { where, waive }: Place): void {
  for (const key of Object.keys(assertions(schema))) {
    if (known.includes(key)) continue;
    waive(where, `has the keyword ${key}, which cannot be enforced${known.length > 0 ? " here" : ""}`);
  }
}

/** The count under `key`, or `fallback` when it is absent. Throws INVALID_REQUEST unless it is a whole number. */
export function countOf<T extends number | undefined>(
  schema: Keywords,
  { key, where, fallback }: { readonly key: string; readonly where: string; readonly fallback: T },
): number | T {
  const value = schema[key];
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  return refuseSchema(where, `has a ${key} that is not a whole number`);
}
