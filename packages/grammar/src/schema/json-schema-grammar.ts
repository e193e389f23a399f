import { checkEbnf, MAX_EBNF } from "../ebnf/check-ebnf.js";
import { RuleBook } from "../ebnf/rule-book.js";
import { Impossible, refuseSchema, Unenforceable } from "../refusals.js";
import { arrayGrammar } from "./array-grammar.js";
import { conjunction } from "./conjunction.js";
import { areDisjoint } from "./disjoint.js";
import { assertions, checkKeywords, isObject, type JsonSchema, type Keywords, withNull } from "./json-schema.js";
import { JsonText, type Layout } from "./json-text.js";
import { numberGrammar } from "./number-grammar.js";
import { objectGrammar } from "./object-grammar.js";
import { type References, resolveReferences } from "./references.js";
import { stringGrammar } from "./string-grammar.js";
import { constants, freed, impliedTypes, keywordsFor, type TypeName, typesOf } from "./types.js";
import { type Waiver, Waivers } from "./waivers.js";

/** Deepest nesting of a schema. */
export const MAX_DEPTH = 64;

export interface SchemaOptions {
  /** Refuse what can't be enforced, with its place, instead of letting it through. */
  readonly strict: boolean;
  /** Deepest nesting that is enforced, up to MAX_DEPTH, which is the default. */
  readonly depth?: number | undefined;
}

/** A schema's rule in the book of its JSON. */
export interface SchemaRule {
  readonly name: string;
  readonly waivers: readonly Waiver[];
}

/**
 * A grammar of JSON texts that all satisfy the schema. Where it can't express everything that the schema allows it
 * allows less, never more. Throws INVALID_REQUEST with the place in the schema when that is malformed, can't be
 * enforced, is too large, or can't be satisfied.
 */
export function jsonSchemaGrammar(schema: JsonSchema, layout: Layout = "free"): string {
  return schemaGrammar(schema, { strict: true, layout }).text;
}

/** The same; unless `strict`, with what it lets through of a schema that can't be enforced. Throws as it does. */
export function schemaGrammar(
  schema: JsonSchema,
  { layout = "free", ...options }: SchemaOptions & { readonly layout?: Layout },
): { readonly text: string; readonly waivers: readonly Waiver[] } {
  const book = new RuleBook(MAX_EBNF);
  const { name, waivers } = schemaRule(new JsonText(book, layout), schema, options);
  const text = book.text(name);
  checkEbnf(text);
  return { text, waivers };
}

/** The caller still has to check whether the rule can end. Throws as jsonSchemaGrammar does, unless it isn't strict. */
export function schemaRule(json: JsonText, schema: JsonSchema, options: SchemaOptions): SchemaRule {
  const translator = new SchemaTranslator(json, schema, options);
  const name = translator.translate();
  return { name, waivers: translator.waivers.list };
}

class SchemaTranslator {
  readonly waivers: Waivers;
  readonly #references: References;
  readonly #book: RuleBook;
  readonly #json: JsonText;
  readonly #maxDepth: number;
  /** The rules of schemas that references lead to, by their places and what is said beside the references. */
  readonly #rules = new Map<string, string>();
  #depth = 0;

  constructor(json: JsonText, root: JsonSchema, { strict, depth = MAX_DEPTH }: SchemaOptions) {
    this.waivers = new Waivers({ strict });
    this.#json = json;
    this.#book = json.book;
    this.#maxDepth = depth;
    this.#references = resolveReferences(root);
  }

  translate(): string {
    return this.#reference("#", "#");
  }

  readonly #at = (where: string) => ({ where, waive: this.waivers.waive });

  /** undefined when no value satisfies the schema. */
  readonly #subgrammar = (schema: JsonSchema, where: string): string | undefined => {
    try {
      return this.#book.reference(this.#alternatives(schema, where));
    } catch (error) {
      if (error instanceof Impossible) return undefined;
      throw error;
    }
  };

  /** A schema that can't be enforced is let through up to its type. */
  #alternatives(schema: JsonSchema, where: string): string[] {
    try {
      return this.#enforced(schema, where);
    } catch (error) {
      if (!(error instanceof Unenforceable) || this.waivers.isStrict) throw error;
      this.waivers.waive(error.where === "" ? where : error.where, error.why);
      return this.#freed(schema, where);
    }
  }

  #freed(schema: JsonSchema, where: string): string[] {
    const left = freed(schema);
    if (left === true) return [this.#json.value()];
    return typesOf(left as Keywords, where).flatMap((type) => this.#ofType(type, { type }, where));
  }

  #enforced(schema: JsonSchema, where: string): string[] {
    if (schema === true) return [this.#json.value()];
    if (schema === false) throw new Impossible(where, "allows nothing");
    if (!isObject(schema)) return refuseSchema(where, "is not a schema");
    if (this.#depth >= this.#maxDepth) return this.#tooDeep(schema, where);
    this.#depth++;
    try {
      return this.#translated(schema, where);
    } finally {
      this.#depth--;
    }
  }

  #tooDeep(schema: Keywords, where: string): string[] {
    if (Object.keys(assertions(schema)).every((key) => key === "type")) return this.#freed(schema, where);
    const reason = this.#maxDepth < MAX_DEPTH ? ", in a schema that is too costly to be enforced whole" : "";
    throw new Unenforceable(where, `is nested more than ${this.#maxDepth} deep${reason}`);
  }

  #translated(given: Keywords, where: string): string[] {
    const schema = withNull(given);
    if (schema.$ref !== undefined) return this.#referring(schema, where);
    if (schema.const !== undefined || schema.enum !== undefined) return constants(schema, this.#at(where));
    for (const key of ["anyOf", "oneOf", "allOf"] as const) {
      if (schema[key] !== undefined) return this.#combined(schema, key, where);
    }
    const keywords = Object.keys(assertions(schema));
    if (keywords.length === 0) return [this.#json.value()];
    const types = schema.type === undefined ? impliedTypes(schema) : typesOf(schema, where);
    if (types.length === 0) throw new Unenforceable(where, `has ${keywords.join(", ")} without a type`);
    return types.flatMap((type) => this.#ofType(type, schema, where));
  }

  /** Keywords beside a reference hold too, unless the schema that it refers to says the same. */
  #referring({ $ref, ...others }: Keywords, where: string): string[] {
    const beside = assertions(others);
    const target = this.#references.resolve(String($ref), where);
    const isRepeated = (key: string) => isObject(target) && JSON.stringify(target[key]) === JSON.stringify(beside[key]);
    if (Object.keys(beside).every(isRepeated)) return [this.#reference(String($ref), where)];
    const both = () => this.#alternatives(conjunction([beside, target], this.#at(where)), where);
    return [this.#named(`${$ref} beside ${JSON.stringify(beside)}`, both)];
  }

  #reference(pointer: string, where: string): string {
    const target = this.#references.resolve(pointer, where);
    return this.#named(pointer, () => this.#alternatives(target, pointer));
  }

  /** A rule is named before it is written, so that a schema may contain itself. */
  #named(key: string, write: () => string[]): string {
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const name = this.#book.reserve();
    this.#rules.set(key, name);
    // What used the name before writing it throws leads only to itself, which checkEbnf refuses wherever it is used.
    this.#book.define(name, [name]);
    try {
      this.#book.define(name, write());
    } catch (error) {
      this.#rules.delete(key);
      throw error;
    }
    return name;
  }

  #combined(schema: Keywords, key: "anyOf" | "oneOf" | "allOf", where: string): string[] {
    const { [key]: branches, ...beside } = assertions(schema);
    if (!Array.isArray(branches) || branches.length === 0)
      return refuseSchema(`${where}/${key}`, "is not a list of schemas");
    const place = this.#at(where);
    const isAlone = Object.keys(beside).length === 0;
    const plain = branches.map((branch, i) => this.#followed(branch, `${where}/${key}/${i}`));
    if (key === "allOf" && (branches.length > 1 || !isAlone))
      return this.#alternatives(conjunction([beside, ...plain], place), where);
    const each = isAlone ? plain : plain.map((branch) => conjunction([beside, branch], place));
    if (key === "oneOf" && !areDisjoint(each)) {
      place.waive(
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

  /** The branch, or the schema that it refers to. One that can't be found is waived. */
  #followed(branch: JsonSchema, where: string): JsonSchema {
    let found = branch;
    for (let depth = 0; isObject(found) && typeof found.$ref === "string" && depth < MAX_DEPTH; depth++) {
      const { $ref, ...others } = assertions(found);
      const target = this.#references.find(String($ref));
      if (target === undefined) this.waivers.waive(where, this.#references.problem(String($ref)));
      found = conjunction([others, target ?? true], this.#at(where));
    }
    return found;
  }

  #ofType(type: TypeName, all: Keywords, where: string): string[] {
    const schema = keywordsFor(type, all);
    const place = this.#at(where);
    const context = { ...place, json: this.#json, subgrammar: this.#subgrammar };
    switch (type) {
      case "object":
        return [objectGrammar(schema, context)];
      case "array":
        return [arrayGrammar(schema, context)];
      case "string":
        return [stringGrammar(this.#json, schema, place)];
      case "integer":
      case "number":
        return numberGrammar(schema, type, place);
      case "boolean":
        checkKeywords(schema, ["type"], place);
        return ['"true"', '"false"'];
      case "null":
        checkKeywords(schema, ["type"], place);
        return ['"null"'];
    }
  }
}
