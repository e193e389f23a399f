import { Impossible, refuseSchema } from "../refusals.js";
import type { SchemaContext } from "./array-grammar.js";
import { checkKeywords, countOf, isObject, type JsonSchema, type Keywords } from "./json-schema.js";
import type { JsonText } from "./json-text.js";
import { keyLiteral, otherKey } from "./key-grammar.js";
import type { Place } from "./waivers.js";

interface Property {
  readonly name: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

const KNOWN = [
  "type",
  "properties",
  "required",
  "additionalProperties",
  "unevaluatedProperties",
  "minProperties",
  "maxProperties",
];

/**
 * The objects of a schema: its properties in their order, then others if `additionalProperties` asks for them. A schema
 * that lists properties and says nothing about others gets no others, which is narrower than JSON Schema.
 */
export function objectGrammar(schema: Keywords, context: SchemaContext): string {
  const { json, where, subgrammar } = context;
  checkKeywords(schema, KNOWN, context);
  const properties = propertiesOf(schema, where);
  const others = othersOf(schema, properties);
  const other = others === false ? undefined : subgrammar(others, `${where}/additionalProperties`);
  checkCounts(schema, { properties, open: other !== undefined, place: context });
  if (properties.length === 0) return other === undefined ? '"{}"' : json.map(json.string(), other);
  const entries = properties.flatMap((property) => entryOf(property, context));
  const names = properties.map(({ name }) => name);
  const extra = other === undefined ? undefined : `${otherKey(json.book, names)} ${json.colon} ${other}`;
  return `"{" ${json.book.reference(members(json, entries, extra))}`;
}

/** `properties` in their order, then required names that are not among them. */
function propertiesOf(schema: Keywords, where: string): readonly Property[] {
  const { properties = {}, required = [] } = schema;
  if (!isObject(properties)) return refuseSchema(where, "has properties that are not an object");
  // In draft 3 a property said itself whether it is required, so an object may say that it is one.
  const names = typeof required === "boolean" ? [] : required;
  if (!Array.isArray(names)) return refuseSchema(where, "has a required that is not a list");
  const needed = new Set(names);
  const described = Object.entries(properties).map(([name, property]) => ({
    name,
    required: needed.has(name) || (isObject(property) && property.required === true),
    schema: property as JsonSchema,
  }));
  const undescribed = names.filter((name) => !Object.hasOwn(properties, name));
  const rest = schema.patternProperties === undefined ? ((schema.additionalProperties ?? true) as JsonSchema) : true;
  return [...described, ...undescribed.map((name) => ({ name: String(name), required: true, schema: rest }))];
}

/** Keys of patterns, which are not enforced, must get through. */
function othersOf(schema: Keywords, properties: readonly Property[]): JsonSchema {
  if (schema.patternProperties !== undefined) return true;
  const named = schema.additionalProperties ?? schema.unevaluatedProperties;
  return named === undefined ? properties.length === 0 : (named as JsonSchema);
}

interface Counted {
  readonly properties: readonly Property[];
  /** Whether there may be properties that the schema does not name. */
  readonly open: boolean;
  readonly place: Place;
}

/** A count is enforced only where it follows from the properties. */
function checkCounts(schema: Keywords, { properties, open, place: { where, waive } }: Counted): void {
  const min = countOf(schema, { key: "minProperties", where, fallback: 0 });
  const max = countOf(schema, { key: "maxProperties", where, fallback: Number.POSITIVE_INFINITY });
  const required = properties.filter((property) => property.required).length;
  if (min > required) waive(where, `has minProperties ${min}, which cannot be enforced beyond its required properties`);
  if (max < (open ? Number.POSITIVE_INFINITY : properties.length)) {
    waive(where, `has maxProperties ${max}, which cannot be enforced`);
  }
}

interface Entry {
  readonly text: string;
  readonly required: boolean;
}

function entryOf({ name, required, schema }: Property, { json, where, subgrammar }: SchemaContext): Entry[] {
  const at = `${where}/properties/${name}`;
  const value = subgrammar(schema, at);
  if (value !== undefined) return [{ text: `${keyLiteral(name)} ${json.colon} ${value}`, required }];
  if (required) throw new Impossible(at, "is required but no value satisfies it");
  return [];
}

/**
 * The grammar after the opening brace, built from the last entry to the first: `rest` follows an entry, `first` does
 * not.
 */
function members({ book, comma }: JsonText, entries: readonly Entry[], extra: string | undefined): string[] {
  let rest = '"}"';
  if (extra !== undefined) {
    rest = book.reserve();
    book.define(rest, ['"}"', `${comma} ${extra} ${rest}`]);
  }
  let first = ['"}"', ...(extra === undefined ? [] : [`${extra} ${rest}`])];
  for (const { text, required } of entries.toReversed()) {
    const behind = rest;
    first = [`${text} ${behind}`, ...(required ? [] : first)];
    rest = book.rule([`${comma} ${text} ${behind}`, ...(required ? [] : [behind])]);
  }
  return first;
}
