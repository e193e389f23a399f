import fc from "fast-check";
import type { JsonSchema } from "./operations.js";

type Value = fc.Arbitrary<unknown>;

/** Values for fields of a name, where values of the schema alone would mostly be refused or take long. */
export type Hints = Readonly<Record<string, Value>>;

/** Optional fields of one object: with more of them most requests contradict themselves. */
const MOST_OPTIONAL = 5;
const MOST_ITEMS = 4;
const LONGEST = 24;

/** Values that the schema allows, all of them small. */
export function schemaArbitrary(schema: JsonSchema, hints: Hints): Value {
  const inner = (one: JsonSchema): Value => schemaArbitrary(one, hints);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) return fc.oneof(...branches.map(inner));
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length === 0) return fc.jsonValue({ maxDepth: 2 });
  return fc.oneof(...types.map((type) => ofType(String(type), schema, hints)));
}

function ofType(type: string, schema: JsonSchema, hints: Hints): Value {
  switch (type) {
    case "object":
      return objects(schema, hints);
    case "array": {
      const { items = {}, minItems = 0, maxItems = MOST_ITEMS } = schema;
      const maxLength = Math.max(minItems, Math.min(maxItems, MOST_ITEMS));
      return fc.array(schemaArbitrary(items, hints), { minLength: minItems, maxLength });
    }
    case "string":
      return strings(schema);
    case "integer":
      return integers(schema);
    case "number":
      return numbers(schema);
    case "boolean":
      return fc.boolean();
    default:
      return fc.constant(null);
  }
}

function objects({ properties = {}, required = [], ...rest }: JsonSchema, hints: Hints): Value {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, hints[name] ?? schemaArbitrary(schema, hints)]),
  );
  const optional = Object.keys(fields).filter((name) => !required.includes(name));
  const described = fc.subarray(optional, { maxLength: Math.min(MOST_OPTIONAL, optional.length) }).chain((chosen) => {
    return fc.record(
      Object.fromEntries([...required, ...chosen].map((name) => [name, fields[name] ?? fc.constant(0)])),
    );
  });
  const { additionalProperties, propertyNames = { type: "string" } } = rest;
  if (typeof additionalProperties !== "object" || optional.length > 0) return described;
  const values = schemaArbitrary(additionalProperties, hints);
  return fc.dictionary(strings(propertyNames), values, { maxKeys: MOST_ITEMS });
}

function strings({ minLength = 0, maxLength = LONGEST, pattern }: JsonSchema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  const lengths = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, LONGEST)) };
  return fc.oneof(
    fc.string(lengths),
    fc.string({ ...lengths, unit: "grapheme" }),
    fc.string({ ...lengths, unit: "binary" }),
  );
}

function integers({ minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER }: JsonSchema): Value {
  return fc.oneof(
    fc.maxSafeInteger().map((value) => clamp(value, minimum, maximum)),
    fc.constantFrom(minimum, maximum),
  );
}

function numbers(schema: JsonSchema): Value {
  const min = schema.minimum ?? schema.exclusiveMinimum ?? -1e308;
  const max = schema.maximum ?? schema.exclusiveMaximum ?? 1e308;
  const minExcluded = schema.exclusiveMinimum !== undefined;
  return fc.double({ min, max, noNaN: true, minExcluded, maxExcluded: schema.exclusiveMaximum !== undefined });
}

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));
