import { checkEbnf, MAX_EBNF } from "../ebnf/check-ebnf.js";
import { RuleBook } from "../ebnf/rule-book.js";
import { Impossible, refuseSchema, unenforceable } from "../refusals.js";
import { arrayGrammar } from "./array-grammar.js";
import { conjunction } from "./conjunction.js";
import { areDisjoint } from "./disjoint.js";
import { assertions, checkKeywords, isObject, type JsonSchema, type Keywords } from "./json-schema.js";
import { JsonText, type Layout } from "./json-text.js";
import { numberGrammar } from "./number-grammar.js";
import { objectGrammar } from "./object-grammar.js";
import { stringGrammar } from "./string-grammar.js";
import { constants, keywordsFor, type TypeName, typesOf } from "./types.js";

/** Deepest nesting of a schema. */
const MAX_DEPTH = 64;

/**
 * A grammar of JSON texts that all satisfy the schema. Where it can't express everything that the schema allows it
 * allows less, never more. Throws INVALID_REQUEST with the place in the schema when that is malformed, can't be
 * enforced, is too large, or can't be satisfied.
 */
export function jsonSchemaGrammar(schema: JsonSchema, layout: Layout = "free"): string {
  const book = new RuleBook(MAX_EBNF);
  const text = book.text(schemaRule(new JsonText(book, layout), schema));
  checkEbnf(text);
  return text;
}

/**
 * The name of a rule for the schema's texts, in the book of `json`. Throws as jsonSchemaGrammar does, except that the
 * caller still has to check whether the rule can end.
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

  /** undefined when no value satisfies the schema. */
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
    if (schema.$ref !== undefined) return this.#referring(schema, where);
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

  /** Keywords beside a reference hold too, unless the schema that it refers to says the same. */
  #referring({ $ref, ...others }: Keywords, where: string): string[] {
    const beside = assertions(others);
    const target = this.#resolve(String($ref), where);
    const isRepeated = (key: string) => isObject(target) && JSON.stringify(target[key]) === JSON.stringify(beside[key]);
    if (Object.keys(beside).every(isRepeated)) return [this.#reference(String($ref), where)];
    return this.#alternatives(conjunction([beside, target], where), where);
  }

  /** A reference's rule is named before it is translated, so that a schema may contain itself. */
  #reference(pointer: string, where: string): string {
    const known = this.#references.get(pointer);
    if (known !== undefined) return known;
    const name = this.#book.reserve();
    this.#references.set(pointer, name);
    // If the translation throws, the rule leads only to itself, which checkEbnf refuses wherever the name was used.
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
    const { [key]: branches, ...beside } = assertions(schema);
    if (!Array.isArray(branches) || branches.length === 0)
      return refuseSchema(`${where}/${key}`, "is not a list of schemas");
    const isAlone = Object.keys(beside).length === 0;
    const plain = branches.map((branch) => this.#followed(branch, where));
    if (key === "allOf" && (branches.length > 1 || !isAlone))
      return this.#alternatives(conjunction([beside, ...plain], where), where);
    const each = isAlone ? plain : plain.map((branch) => conjunction([beside, branch], where));
    if (key === "oneOf" && !areDisjoint(each)) {
      unenforceable(
        where,
        "has a oneOf whose branches may overlap; make them differ in type or in a required constant, or use anyOf",
      );
    }
    const ways = (isAlone ? branches : each).flatMap((branch, i) => {
      return this.#subgrammar(branch, `${where}/${key}/${i}`) ?? [];
    });
    if (ways.length === 0) throw new Impossible(`${where}/${key}`, "has no branch that can be satisfied");
    return ways;
  }

  /** The branch, or the schema that it refers to. */
  #followed(branch: JsonSchema, where: string): JsonSchema {
    if (!isObject(branch) || typeof branch.$ref !== "string") return branch;
    const { $ref, ...others } = assertions(branch);
    return conjunction([others, this.#resolve(String($ref), where)], where);
  }

  #ofType(type: TypeName, all: Keywords, where: string): string[] {
    const schema = keywordsFor(type, all);
    const context = { json: this.#json, where, subgrammar: this.#subgrammar };
    switch (type) {
      case "object":
        return [objectGrammar(schema, context)];
      case "array":
        return [arrayGrammar(schema, context)];
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

/** The decoded part, or the part itself when it is not percent-encoded. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
