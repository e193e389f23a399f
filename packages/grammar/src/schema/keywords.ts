import { refuseSchema, unenforceable } from "./impossible.js";

type Keywords = Readonly<Record<string, unknown>>;

/** They say something about a value without restricting it. */
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

/** A schema's keywords that restrict values; those that are turned off are left out. */
export function assertions(schema: Keywords): Keywords {
  return Object.fromEntries(
    Object.entries(schema).filter(([key, value]) => {
      if (ANNOTATIONS.has(key) || key.startsWith("x-") || value === undefined) return false;
      return !(key === "uniqueItems" && value === false) && !(key === "nullable" && value === false);
    }),
  );
}

/** Throws INVALID_REQUEST, naming the first keyword that is not among `known`. */
export function checkKeywords(schema: Keywords, known: readonly string[], where: string): void {
  const foreign = Object.keys(assertions(schema)).find((key) => !known.includes(key));
  if (foreign === undefined) return;
  unenforceable(where, `has the keyword ${foreign}, which cannot be enforced${known.length > 0 ? " here" : ""}`);
}

/** A whole number of `key`, or `fallback`. Throws INVALID_REQUEST for anything else. */
export function countOf<T extends number | undefined>(
  schema: Keywords,
  { key, where, fallback }: { readonly key: string; readonly where: string; readonly fallback: T },
): number | T {
  const value = schema[key];
  if (value === undefined) return fallback;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  return refuseSchema(where, `has a ${key} that is not a whole number`);
}
