import { refuseSchema, unenforceable } from "../refusals.js";

/** A JSON schema as it was sent: true, false, or an object whose keywords are not checked yet. */
export type JsonSchema = boolean | Keywords;
export type Keywords = { readonly [keyword: string]: unknown };

export const isObject = (value: unknown): value is Keywords =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keywords that describe a value without restricting it. */
const ANNOTATIONS = new Set([
  "title",
  "description",
  "default",
  "example",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "$schema",
  "$id",
  "$comment",
  "$defs",
  "definitions",
  "discriminator",
  "contentMediaType",
  "contentEncoding",
]);

/** The keywords of a schema that restrict values, without those set to false. */
export function assertions(schema: Keywords): Keywords {
  return Object.fromEntries(
    Object.entries(schema).filter(([key, value]) => {
      if (ANNOTATIONS.has(key) || key.startsWith("x-") || value === undefined) return false;
      return !(key === "uniqueItems" && value === false) && !(key === "nullable" && value === false);
    }),
  );
}

/** Throws INVALID_REQUEST naming the first restricting keyword that is not among `known`. */
export function checkKeywords(schema: Keywords, known: readonly string[], where: string): void {
  const foreign = Object.keys(assertions(schema)).find((key) => !known.includes(key));
  if (foreign === undefined) return;
  unenforceable(where, `has the keyword ${foreign}, which cannot be enforced${known.length > 0 ? " here" : ""}`);
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
