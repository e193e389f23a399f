import type { Subgrammar } from "./array-grammar.js";
import { Impossible, refuseSchema, unenforceable } from "./impossible.js";
import { isObject, type JsonSchema } from "./json-schema.js";
import type { JsonText } from "./json-text.js";
import { keyLiteral, otherKey } from "./key-grammar.js";
import { checkKeywords, countOf } from "./keywords.js";

type Keywords = Readonly<Record<string, unknown>>;

interface Property {
  readonly name: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

/**
 * The objects of a schema: its properties in their order, then others if `additionalProperties` asks for them. A schema that lists
 * properties and says nothing about others gets no others, which is narrower than JSON Schema.
 */
export function objectGrammar(json: JsonText, schema: Keywords, where: string, subgrammar: Subgrammar): string {
  const known = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "unevaluatedProperties",
    "minProperties",
    "maxProperties",
  ];
  checkKeywords(schema, known, where);
  const properties = propertiesOf(schema, where);
  const others = othersOf(schema, properties);
  const other = others === false ? undefined : subgrammar(others, `${where}/additionalProperties`);
  checkCounts(schema, { properties, open: other !== undefined, where });
  if (properties.length === 0) return other === undefined ? '"{}"' : json.map(json.string(), other);
  const entries = properties.flatMap((property) => entryOf(json, property, where, subgrammar));
  const extra =
    other === undefined
      ? undefined
      : `${otherKey(
          json.book,
          properties.map(({ name }) => name),
        )} ${json.colon} ${other}`;
  return `"{" ${json.book.reference(members(json, entries, extra))}`;
}

/** Those of `properties`, then required ones that are not described there. */
function propertiesOf(schema: Keywords, where: string): readonly Property[] {
  const { properties = {}, required = [] } = schema;
  if (!isObject(properties)) return refuseSchema(where, "has properties that are not an object");
  if (!Array.isArray(required)) return refuseSchema(where, "has a required that is not a list");
  const described = Object.entries(properties).map(([name, property]) => ({
    name,
    required: required.includes(name),
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

/** Counts are enforced only where they follow from the properties. */
function checkCounts(
  schema: Keywords,
  {
    properties,
    open,
    where,
  }: { readonly properties: readonly Property[]; readonly open: boolean; readonly where: string },
): void {
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

function entryOf({ colon }: JsonText, property: Property, where: string, subgrammar: Subgrammar): Entry[] {
  const { name, required, schema } = property;
  const at = `${where}/properties/${name}`;
  const value = subgrammar(schema, at);
  if (value !== undefined) return [{ text: `${keyLiteral(name)} ${colon} ${value}`, required }];
  if (required) throw new Impossible(at, "is required and has no value");
  return [];
}

/** What follows the opening brace, from the last entry to the first: `rest` behind an entry, `first` before any. */
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
