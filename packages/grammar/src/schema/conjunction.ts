import { refuseSchema } from "../refusals.js";
import { assertions, isObject, type JsonSchema, type Keywords } from "./json-schema.js";
import type { Place } from "./waivers.js";

/** Keywords that are about what another keyword of the same schema leaves: they can't be moved to another schema. */
const ABOUT_OTHERS: readonly (readonly [about: string, listed: readonly string[]])[] = [
  ["additionalProperties", ["properties", "patternProperties"]],
  ["unevaluatedProperties", ["properties", "patternProperties", "additionalProperties"]],
  ["items", ["prefixItems"]],
  ["additionalItems", ["items"]],
  ["unevaluatedItems", ["items", "prefixItems"]],
  ["contains", ["minContains", "maxContains"]],
  ["if", ["then", "else"]],
];

/** A schema of the values that satisfy all of them. A keyword that can't be joined with others is waived. */
export function conjunction(schemas: readonly JsonSchema[], place: Place): JsonSchema {
  return schemas.reduce((one, other) => both(one, other, place), true);
}

function both(a: JsonSchema, b: JsonSchema, place: Place): JsonSchema {
  if (a === false || b === false) return false;
  if (a === true) return b;
  if (b === true) return a;
  if (!isObject(a) || !isObject(b)) return refuseSchema(place.where, "is not a schema");
  const [one, other] = apart(assertions(a), assertions(b), place);
  const shared = Object.keys(one).filter((key) => Object.hasOwn(other, key));
  const together: [string, unknown][] = [];
  for (const key of shared) {
    const value = joined(one, other, key);
    if (value === undefined) clash(key, place);
    if (key === "type" && Array.isArray(value) && value.length === 0) return false;
    together.push([key, value ?? one[key]]);
  }
  return { ...one, ...other, ...Object.fromEntries(together) };
}

/** Both without the keywords that would mean something else beside the other's. */
function apart(one: Keywords, other: Keywords, place: Place): readonly [Keywords, Keywords] {
  let [a, b] = [one, other];
  for (let key = aboutOther(a, b); key !== undefined; key = aboutOther(a, b)) a = without(a, key, place);
  for (let key = aboutOther(b, a); key !== undefined; key = aboutOther(b, a)) b = without(b, key, place);
  return [a, b];
}

function without(schema: Keywords, about: string, place: Place): Keywords {
  const { [about]: _, ...rest } = schema;
  clash(about, place);
  return rest;
}

function aboutOther(one: Keywords, other: Keywords): string | undefined {
  const isForeign = (key: string) => Object.hasOwn(other, key) && !same(one[key], other[key]);
  return ABOUT_OTHERS.find(([about, listed]) => Object.hasOwn(one, about) && listed.some(isForeign))?.[0];
}

/** The value that says what both say; undefined when none does. */
function joined(one: Keywords, other: Keywords, key: string): unknown {
  const [a, b] = [one[key], other[key]];
  if (same(a, b)) return a;
  if (key === "required" && Array.isArray(a) && Array.isArray(b)) return [...new Set([...a, ...b])];
  if (key === "properties" && isObject(a) && isObject(b)) return joinedProperties(a, b);
  return key === "type" ? joinedTypes([a].flat(), [b].flat()) : undefined;
}

/** Every integer is a number. */
function joinedTypes(a: readonly unknown[], b: readonly unknown[]): readonly unknown[] {
  const within = (names: readonly unknown[], others: readonly unknown[]) =>
    names.filter((name) => others.includes(name) || (name === "integer" && others.includes("number")));
  return [...new Set([...within(a, b), ...within(b, a)])];
}

function joinedProperties(a: Keywords, b: Keywords): Keywords {
  const names = Object.keys(a).filter((name) => Object.hasOwn(b, name));
  return { ...a, ...b, ...Object.fromEntries(names.map((name) => [name, { allOf: [a[name], b[name]] }])) };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function clash(key: string, { where, waive }: Place): void {
  waive(where, `has the keyword ${key} beside others that it cannot be joined with`);
}
