import { MAX_REPETITIONS, repeat } from "../ebnf/repeat.js";
import { Impossible, refuseSchema } from "../refusals.js";
import { checkKeywords, countOf, type JsonSchema, type Keywords } from "./json-schema.js";
import type { JsonText } from "./json-text.js";
import type { Place } from "./waivers.js";

/** Where a schema with subschemas is translated. */
export interface SchemaContext extends Place {
  readonly json: JsonText;
  /** A subschema's grammar; undefined when no value satisfies it. */
  readonly subgrammar: (schema: JsonSchema, where: string) => string | undefined;
}

/** The arrays of a schema. */
export function arrayGrammar(given: Keywords, context: SchemaContext): string {
  const { json, where, subgrammar } = context;
  const schema = withPrefixItems(given);
  const max = itemsOf(schema, "maxItems", context);
  const alone = (max ?? 2) < 2 ? ["uniqueItems"] : [];
  checkKeywords(schema, ["type", "items", "prefixItems", "minItems", "maxItems", ...alone], context);
  const min = itemsOf(schema, "minItems", context) ?? 0;
  const prefix = prefixOf(schema, where).map((item, i) => subgrammar(item, `${where}/prefixItems/${i}`));
  const rest = subgrammar((schema.items ?? true) as JsonSchema, `${where}/items`);
  const itemAt = (index: number) => (index < prefix.length ? prefix[index] : rest);
  const firstMissing = prefix.indexOf(undefined);
  const most = Math.min(
    max ?? Number.POSITIVE_INFINITY,
    firstMissing >= 0 ? firstMissing : Infinity,
    rest === undefined ? prefix.length : Infinity,
  );
  if (min > most) throw new Impossible(where, `has minItems ${min} but can hold at most ${most}`);
  return `"[" ${json.book.reference(items(json, { min, most, prefix: prefix.length, itemAt }))}`;
}

/** A count of items; undefined when there is none, or it is waived. */
function itemsOf(schema: Keywords, key: "minItems" | "maxItems", { where, waive }: Place): number | undefined {
  const count = countOf(schema, { key, where, fallback: undefined });
  if (count === undefined || count <= MAX_REPETITIONS) return count;
  waive(where, `has ${key} ${count}; at most ${MAX_REPETITIONS} items can be counted`);
  return key === "minItems" ? MAX_REPETITIONS : undefined;
}

/** Until 2019, JSON Schema called prefixItems `items`, and what may follow them `additionalItems`. */
function withPrefixItems({ additionalItems = true, ...schema }: Keywords): Keywords {
  return Array.isArray(schema.items) ? { ...schema, prefixItems: schema.items, items: additionalItems } : schema;
}

function prefixOf({ prefixItems = [] }: Keywords, where: string): readonly JsonSchema[] {
  return Array.isArray(prefixItems) ? prefixItems : refuseSchema(where, "has prefixItems that are not a list");
}

interface Items {
  readonly min: number;
  readonly most: number;
  readonly prefix: number;
  readonly itemAt: (index: number) => string | undefined;
}

/** The grammar after the opening bracket: a rule for each item of the prefix, and a repetition of the others. */
function items({ book, comma }: JsonText, { min, most, prefix, itemAt }: Items): string[] {
  const entry = (index: number, then: string) => `${index === 0 ? "" : `${comma} `}${itemAt(index) ?? ""} ${then}`;
  const end = '"]"';
  if (most === 0) return [end];
  // The first item, which has no comma before it, is not repeated either.
  const single = Math.min(Math.max(prefix, 1), most);
  const max = Number.isFinite(most) ? most - single : undefined;
  const element = (then: string) => [entry(single, then)];
  let next = book.reference(repeat(book, { min: Math.max(min - single, 0), max, element }, end));
  for (let index = single - 1; index > 0; index--) {
    next = book.rule([...(index >= min ? [end] : []), entry(index, next)]);
  }
  return [...(min === 0 ? [end] : []), entry(0, next)];
}
