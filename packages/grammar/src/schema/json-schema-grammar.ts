import { RhoneError } from "@rhone/common";
import { checkEbnf, MAX_EBNF } from "../ebnf/check-ebnf.js";
import { literal } from "../ebnf/notation.js";
import { RuleBook } from "../ebnf/rule-book.js";
import { arrayGrammar } from "./array-grammar.js";
import { areDisjoint } from "./disjoint.js";
import { Impossible, refuseSchema, unenforceable } from "./impossible.js";
import { isObject, type JsonSchema } from "./json-schema.js";
import { JsonText, type Layout } from "./json-text.js";
import { assertions, checkKeywords } from "./keywords.js";
import { numberGrammar } from "./number-grammar.js";
import { objectGrammar } from "./object-grammar.js";
import { stringGrammar } from "./string-grammar.js";

type Keywords = Readonly<Record<string, unknown>>;

const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
type TypeName = (typeof TYPES)[number];

/** Keywords say something about values of one type alone, and nothing about others. */
const TYPE_KEYWORDS: Readonly<Record<TypeName, readonly string[]>> = {
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems"],
  object: [
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
  ],
  boolean: [],
  null: [],
};

const MAX_DEPTH = 64;

/**
 * A grammar of JSON texts, all of which satisfy the schema. Where the grammar cannot say all that the schema allows it says less,
 * never more. Throws INVALID_REQUEST, with the place in the schema, for what is no schema, cannot be enforced, is too large, or
 * cannot be satisfied.
 */
export function jsonSchemaGrammar(schema: JsonSchema, layout: Layout = "free"): string {
  const book = new RuleBook(MAX_EBNF);
  const text = book.text(schemaRule(new JsonText(book, layout), schema));
  checkEbnf(text);
  return text;
}

/**
 * The name of a rule of the schema's texts, in the book that `json` writes to. Throws as jsonSchemaGrammar does; that a rule can come
 * to an end is left to check.
 */
export function schemaRule(json: JsonText, schema: JsonSchema): string {
  return new SchemaTranslator(json, schema).translate();
}

class SchemaTranslator {
  readonly #root: JsonSchema;
  readonly #book: RuleBook;
  readonly #json: JsonText;
  readonly #references = new Map<string, string>();
  #depth = 0;

  constructor(json: JsonText, root: JsonSchema) {
    this.#json = json;
    this.#book = json.book;
    this.#root = root;
  }

  translate(): string {
    return this.#reference("#", "#");
  }

  /** undefined when nothing satisfies it. */
  readonly #subgrammar = (schema: JsonSchema, where: string): string | undefined => {
    try {
      return this.#book.reference(this.#alternatives(schema, where));
    } catch (error) {
      if (error instanceof Impossible) return undefined;
      throw error;
    }
  };

  #alternatives(schema: JsonSchema, where: string): string[] {
    if (schema === true) return [this.#json.value()];
    if (schema === false) throw new Impossible(where, "allows nothing");
    if (!isObject(schema)) return refuseSchema(where, "is not a schema");
    if (this.#depth >= MAX_DEPTH) refuseSchema(where, `is nested more than ${MAX_DEPTH} deep`);
    this.#depth++;
    try {
      return this.#translated(schema, where);
    } finally {
      this.#depth--;
    }
  }

  #translated(schema: Keywords, where: string): string[] {
    if (schema.$ref !== undefined) {
      checkKeywords(schema, ["$ref"], where);
      return [this.#reference(String(schema.$ref), where)];
    }
    if (schema.const !== undefined || schema.enum !== undefined) return constants(schema, where);
    for (const key of ["anyOf", "oneOf", "allOf"] as const) {
      if (schema[key] !== undefined) return this.#combined(schema, key, where);
    }
    if (schema.type !== undefined) return typesOf(schema, where).flatMap((type) => this.#ofType(type, schema, where));
    const keywords = Object.keys(assertions(schema));
    if (keywords.length === 0) return [this.#json.value()];
    if (keywords.includes("properties")) return this.#ofType("object", schema, where);
    return unenforceable(where, `has ${keywords.join(", ")} without a type`);
  }

  /** A reference's rule is named before it is translated, so that a schema may contain itself. */
  #reference(pointer: string, where: string): string {
    const known = this.#references.get(pointer);
    if (known !== undefined) return known;
    const name = this.#book.reserve();
    this.#references.set(pointer, name);
    // If this throws, the rule stays its own only way, which checkEbnf refuses wherever somebody got hold of the name.
    this.#book.define(name, [name]);
    this.#book.define(name, this.#alternatives(this.#resolve(pointer, where), pointer));
    return name;
  }

  #resolve(pointer: string, where: string): JsonSchema {
    if (!pointer.startsWith("#")) return refuseSchema(where, `refers to ${pointer}, which is outside the schema`);
    let found: unknown = this.#root;
    for (const part of pointer.slice(1).split("/").slice(1)) {
      const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
      found = isObject(found) || Array.isArray(found) ? (found as Keywords)[key] : undefined;
    }
    return found === undefined
      ? refuseSchema(where, `refers to ${pointer}, which does not exist`)
      : (found as JsonSchema);
  }

  #combined(schema: Keywords, key: "anyOf" | "oneOf" | "allOf", where: string): string[] {
    checkKeywords(schema, [key], where);
    const branches = schema[key];
    if (!Array.isArray(branches) || branches.length === 0)
      return refuseSchema(where, `has a ${key} that is not a list`);
    if (key === "allOf" && branches.length > 1)
      unenforceable(where, "has an allOf of several schemas, which cannot be enforced");
    const plain = branches.map((branch) => this.#followed(branch, where));
    if (key === "oneOf" && !areDisjoint(plain)) {
      unenforceable(
        where,
        "has a oneOf whose branches may overlap; make them differ in type or in a required constant, or use anyOf",
      );
    }
    const ways = branches.flatMap((branch, i) => this.#subgrammar(branch, `${where}/${key}/${i}`) ?? []);
    if (ways.length === 0) throw new Impossible(where, `has a ${key} of nothing but impossible schemas`);
    return ways;
  }

  /** A branch that is nothing but a reference is seen through. */
  #followed(branch: unknown, where: string): unknown {
    return isObject(branch) && typeof branch.$ref === "string" ? this.#resolve(branch.$ref, where) : branch;
  }

  #ofType(type: TypeName, all: Keywords, where: string): string[] {
    const schema = applicable(all, type);
    switch (type) {
      case "object":
        return [objectGrammar(this.#json, schema, where, this.#subgrammar)];
      case "array":
        return [arrayGrammar(this.#json, schema, where, this.#subgrammar)];
      case "string":
        return [stringGrammar(this.#json, schema, where)];
      case "integer":
      case "number":
        return numberGrammar(schema, type, where);
      case "boolean":
        checkKeywords(schema, ["type"], where);
        return ['"true"', '"false"'];
      case "null":
        checkKeywords(schema, ["type"], where);
        return ['"null"'];
    }
  }
}

/** A text that is no percent-encoding is taken as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function applicable(schema: Keywords, type: TypeName): Keywords {
  const own = TYPE_KEYWORDS[type];
  const foreign = new Set(
    Object.values(TYPE_KEYWORDS)
      .flat()
      .filter((key) => !own.includes(key)),
  );
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !foreign.has(key)));
}

/** Each type of a list is translated with the keywords that are about it. */
function typesOf(schema: Keywords, where: string): readonly TypeName[] {
  const names = Array.isArray(schema.type) ? schema.type : [schema.type];
  const foreign = names.find((name) => !TYPES.includes(name as TypeName));
  if (foreign !== undefined || names.length === 0) return refuseSchema(where, `has the type ${String(foreign)}`);
  return names as TypeName[];
}

/** The values of const or enum that have the schema's type, written as JSON. */
function constants(schema: Keywords, where: string): string[] {
  checkKeywords(schema, ["type", "const", "enum"], where);
  if (schema.enum !== undefined && !Array.isArray(schema.enum)) refuseSchema(where, "has an enum that is not a list");
  const listed = (schema.enum ?? [schema.const]) as readonly unknown[];
  const same =
    schema.const === undefined
      ? listed
      : listed.filter((value) => JSON.stringify(value) === JSON.stringify(schema.const));
  const types = schema.type === undefined ? undefined : typesOf(schema, where);
  const values = same.filter((value) => types === undefined || types.some((type) => hasType(value, type)));
  if (values.length === 0) throw new Impossible(where, "has no constant of its type");
  if (values.length > 4096) throw new RhoneError("INVALID_REQUEST", `${where} has more than 4096 constants`);
  return values.map((value) => literal(JSON.stringify(value)));
}

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
