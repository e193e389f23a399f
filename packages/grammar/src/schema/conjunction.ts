import { refuseSchema, unenforceable } from "../refusals.js";
import { assertions, isObject, type JsonSchema, type Keywords } from "./json-schema.js";

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

/** A schema of the values that satisfy all of them. Throws INVALID_REQUEST where two keywords can't be joined. */
export function conjunction(schemas: readonly JsonSchema[], where: string): JsonSchema {
  return schemas.reduce((one, other) => both(one, other, where), true);
}

function both(a: JsonSchema, b: JsonSchema, where: string): JsonSchema {
  if (a === false || b === false) return false;
  if (a === true) return b;
  if (b === true) return a;
  if (!isObject(a) || !isObject(b)) return refuseSchema(where, "is not a schema");
  const [one, other] = [assertions(a), assertions(b)];
  const foreign = aboutOther(one, other) ?? aboutOther(other, one);
  if (foreign !== undefined) clash(where, foreign);
  const shared = Object.keys(one).filter((key) => Object.hasOwn(other, key));
  return {
    ...one,
    ...other,
    ...Object.fromEntries(shared.map((key) => [key, joined(one, other, key) ?? clash(where, key)])),
  };
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
  if (key !== "type") return undefined;
  const types = [a].flat().filter((type) => [b].flat().includes(type));
  return types.length > 0 ? types : undefined;
}

function joinedProperties(a: Keywords, b: Keywords): Keywords {
  const names = Object.keys(a).filter((name) => Object.hasOwn(b, name));
  return { ...a, ...b, ...Object.fromEntries(names.map((name) => [name, { allOf: [a[name], b[name]] }])) };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function clash(where: string, key: string): never {
  unenforceable(where, `has the keyword ${key} beside others that it cannot be joined with`);
}
