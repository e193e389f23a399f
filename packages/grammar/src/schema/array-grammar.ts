import { MAX_REPETITIONS } from "../ebnf/repeat.js";
import { Impossible, refuseSchema, unenforceable } from "../refusals.js";
import { checkKeywords, countOf, type JsonSchema, type Keywords } from "./json-schema.js";
import type { JsonText } from "./json-text.js";

/** Where a schema with subschemas is translated. */
export interface SchemaContext {
  readonly json: JsonText;
  /** The schema's place, such as "#/properties/a". */
  readonly where: string;
  /** A subschema's grammar; undefined when no value satisfies it. */
  readonly subgrammar: (schema: JsonSchema, where: string) => string | undefined;
}

/** The arrays of a schema. */
export function arrayGrammar(schema: Keywords, { json, where, subgrammar }: SchemaContext): string {
  const max = countOf(schema, { key: "maxItems", where, fallback: undefined });
  const alone = (max ?? 2) < 2 ? ["uniqueItems"] : [];
  checkKeywords(schema, ["type", "items", "prefixItems", "minItems", "maxItems", ...alone], where);
  const min = countOf(schema, { key: "minItems", where, fallback: 0 });
  const prefix = prefixOf(schema, where).map((item, i) => subgrammar(item, `${where}/prefixItems/${i}`));
  const rest = subgrammar((schema.items ?? true) as JsonSchema, `${where}/items`);
  if (Math.max(min, max ?? 0) > MAX_REPETITIONS) unenforceable(where, `has more than ${MAX_REPETITIONS} items`);
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

function prefixOf({ prefixItems = [] }: Keywords, where: string): readonly JsonSchema[] {
  return Array.isArray(prefixItems) ? prefixItems : refuseSchema(where, "has prefixItems that are not a list");
}

interface Items {
  readonly min: number;
  readonly most: number;
  readonly prefix: number;
  readonly itemAt: (index: number) => string | undefined;
}

/** The grammar after the opening bracket: rules from the last item to the first, each followed by the next one's. */
function items({ book, comma }: JsonText, { min, most, prefix, itemAt }: Items): string[] {
  const entry = (index: number, then: string) => `${index === 0 ? "" : `${comma} `}${itemAt(index) ?? ""} ${then}`;
  const end = '"]"';
  let next = end;
  // Items that need rules of their own: the prefix, the required ones, and with a maximum all of them.
  const counted = Number.isFinite(most) ? most : Math.max(prefix, min, 1);
  if (!Number.isFinite(most)) {
    next = book.reserve();
    book.define(next, [end, entry(counted, next)]);
  }
  for (let index = counted - 1; index > 0; index--) {
    next = book.rule([...(index >= min ? [end] : []), entry(index, next)]);
  }
  if (counted === 0) return [end];
  return [...(min === 0 ? [end] : []), entry(0, next)];
}
