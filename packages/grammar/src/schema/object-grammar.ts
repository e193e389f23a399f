import { Impossible, refuseSchema, unenforceable } from "../refusals.js";
import type { SchemaContext } from "./array-grammar.js";
import { checkKeywords, countOf, isObject, type JsonSchema, type Keywords } from "./json-schema.js";
import type { JsonText } from "./json-text.js";
import { keyLiteral, otherKey } from "./key-grammar.js";

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
  checkKeywords(schema, KNOWN, where);
  const properties = propertiesOf(schema, where);
  const others = othersOf(schema, properties);
  const other = others === false ? undefined : subgrammar(others, `${where}/additionalProperties`);
  checkCounts(schema, { properties, open: other !== undefined, where });
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
  if (!Array.isArray(required)) return refuseSchema(where, "has a required that is not a list");
  const needed = new Set(required);
  const described = Object.entries(properties).map(([name, property]) => ({
    name,
    required: needed.has(name),
    schema: property as JsonSchema,
  }));
  const undescribed = required.filter((name) => !Object.hasOwn(properties, name));
  const rest = (schema.additionalProperties ?? true) as JsonSchema;
  return [...described, ...undescribed.map((name) => ({ name: String(name), required: true, schema: rest }))];
}

function othersOf(schema: Keywords, properties: readonly Property[]): JsonSchema {
  const named = schema.additionalProperties ?? schema.unevaluatedProperties;
  return named === undefined ? properties.length === 0 : (named as JsonSchema);
}

interface Counted {
  readonly properties: readonly Property[];
  /** Whether there may be properties that the schema does not name. */
  readonly open: boolean;
  readonly where: string;
}

/** A count is enforced only where it follows from the properties. */
function checkCounts(schema: Keywords, { properties, open, where }: Counted): void {
  const min = countOf(schema, { key: "minProperties", where, fallback: 0 });
  const max = countOf(schema, { key: "maxProperties", where, fallback: Number.POSITIVE_INFINITY });
  const required = properties.filter((property) => property.required).length;
  if (min > required)
    unenforceable(where, `has minProperties ${min}, which cannot be enforced beyond its required properties`);
  if (max < (open ? Number.POSITIVE_INFINITY : properties.length)) {
    unenforceable(where, `has maxProperties ${max}, which cannot be enforced`);
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
