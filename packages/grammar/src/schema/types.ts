import { literal } from "../ebnf/rule-book.js";
import { Impossible, refuseSchema, Unenforceable } from "../refusals.js";
import { assertions, checkKeywords, isObject, type JsonSchema, type Keywords } from "./json-schema.js";
import type { Place } from "./waivers.js";

const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
export type TypeName = (typeof TYPES)[number];

const NUMERIC = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"];

/** Keywords that restrict values of one type and say nothing about others. */
const TYPE_KEYWORDS: Readonly<Record<TypeName, readonly string[]>> = {
  string: ["minLength", "maxLength", "pattern", "format"],
  number: NUMERIC,
  integer: NUMERIC,
  array: [
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "additionalItems",
    "unevaluatedItems",
  ],
  object: [
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
  ],
  boolean: [],
  null: [],
};

const MAX_CONSTANTS = 4096;

/**
 * The types that the schema names, one or a list; "any" is all of them, as until draft 3. Throws Unenforceable for an
 * unknown name.
 */
export function typesOf(schema: Keywords, where: string): readonly TypeName[] {
  const names = [schema.type].flat();
  if (names.includes("any")) return EACH;
  const foreign = names.find((name) => !isTypeName(name));
  if (foreign !== undefined || names.length === 0)
    throw new Unenforceable(where, `has the type ${nameOf(foreign)}; types are ${TYPES.join(", ")}`);
  return names as TypeName[];
}

const isTypeName = (name: unknown): name is TypeName => TYPES.includes(name as TypeName);

/** Every type once: a number may be an integer. */
const EACH = TYPES.filter((type) => type !== "integer");

/** Draft 3 allowed schemas among the types. */
const nameOf = (name: unknown): string => (isObject(name) ? "of another schema" : String(name));

/** The types that the schema's keywords are about, where it names none; none of them restricts all types. */
export function impliedTypes(schema: Keywords): readonly TypeName[] {
  const keys = Object.keys(assertions(schema)).filter((key) => key !== "format");
  return EACH.filter((type) => keys.some((key) => TYPE_KEYWORDS[type].includes(key)));
}

/** What is left of a schema that no grammar can hold: its type. */
export function freed(schema: JsonSchema): JsonSchema {
  if (!isObject(schema)) return schema;
  const names = [schema.type].flat();
  if (names.length > 0 && names.every(isTypeName)) return { type: schema.type };
  return schema.type === undefined && isObject(schema.properties) ? { type: "object" } : true;
}

/** The schema without keywords that are about other types than `type`. */
export function keywordsFor(type: TypeName, schema: Keywords): Keywords {
  const own = TYPE_KEYWORDS[type];
  const foreign = new Set(
    Object.values(TYPE_KEYWORDS)
      .flat()
      .filter((key) => !own.includes(key)),
  );
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !foreign.has(key)));
}

/** The values of `const` or `enum` that have the schema's type, as literals of their JSON. */
export function constants(schema: Keywords, place: Place): string[] {
  const { where } = place;
  checkKeywords(schema, ["type", "const", "enum"], place);
  if (schema.enum !== undefined && !Array.isArray(schema.enum)) refuseSchema(where, "has an enum that is not a list");
  const listed = (schema.enum ?? [schema.const]) as readonly unknown[];
  const same =
    schema.const === undefined
      ? listed
      : listed.filter((value) => JSON.stringify(value) === JSON.stringify(schema.const));
  const types = schema.type === undefined ? undefined : typesOf(schema, where);
  const values = same.filter((value) => types === undefined || types.some((type) => hasType(value, type)));
  if (values.length === 0) throw new Impossible(where, "has no constant of its type");
  if (values.length > MAX_CONSTANTS)
    throw new Unenforceable(where, `has ${values.length} constants; the limit is ${MAX_CONSTANTS}`);
  return values.map((value) => literal(constantText(value, where)));
}

/** The JSON of a constant. Throws Unenforceable where it holds a number that had other digits before it was parsed. */
const constantText = (constant: unknown, where: string): string =>
  JSON.stringify(constant, (_, value: unknown) => {
    if (typeof value !== "number" || Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
    throw new Unenforceable(where, "has a constant beyond 2^53, of which not all digits are known");
  });

function hasType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
