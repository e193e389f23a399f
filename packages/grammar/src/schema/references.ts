import { Unenforceable } from "../refusals.js";
import { isObject, type JsonSchema, type Keywords } from "./json-schema.js";

/** The schemas that a schema's references lead to. Their own references are places in the schema. */
export class References {
  readonly #targets: ReadonlyMap<string, JsonSchema>;
  readonly #problems: ReadonlyMap<string, string>;

  /**
   * `targets`: by JSON pointers as "#" and "#/$defs/a~1b". `problems`: what is wrong with references that lead nowhere,
   * by their texts.
   */
  constructor(targets: ReadonlyMap<string, JsonSchema>, problems: ReadonlyMap<string, string>) {
    this.#targets = targets;
    this.#problems = problems;
  }

  /** undefined for a reference that leads nowhere. */
  find(reference: string): JsonSchema | undefined {
    return this.#targets.get(reference);
  }

  /** Throws Unenforceable for a reference that leads nowhere. */
  resolve(reference: string, where: string): JsonSchema {
    const found = this.find(reference);
    if (found === undefined) throw new Unenforceable(where, this.problem(reference));
    return found;
  }

  /** What is wrong with a reference that leads nowhere. */
  problem(reference: string): string {
    return `refers to ${reference}, ${this.#problems.get(reference) ?? MISSING}`;
  }
}

const MISSING = "which does not exist";

/** A schema with an `$id`, or the whole document. */
interface Resource {
  readonly uri: string;
  readonly found: Found;
  /** The schemas that have a name, by it. */
  readonly anchors: Map<string, Found[]>;
}

interface Found {
  readonly pointer: string;
  readonly schema: JsonSchema;
}

interface Located {
  readonly found: Found;
  readonly resource: Resource;
}

type Changeable = Record<string, unknown>;

/** The address of a document that has none. */
const NO_ADDRESS = "schema:///";

/** Keywords whose values are schemas, or lists of them. */
const SUBSCHEMAS = new Set([
  ...["items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"],
  ...["additionalProperties", "unevaluatedProperties", "propertyNames"],
  ...["if", "then", "else", "not", "disallow", "extends", "type", "allOf", "anyOf", "oneOf", "contentSchema"],
]);
/** Keywords whose values have schemas by name. */
const NAMED = new Set(["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"]);

/**
 * Where the references of a schema lead, as JSON Schema says: against the nearest `$id`, by JSON pointer, by `$anchor`,
 * or to another `$id` of the document. `$dynamicRef` and `$recursiveRef` become `$ref` where they can lead to one place
 * only. A reference that leads to no place, or to several, stays one that leads nowhere.
 */
export function resolveReferences(schema: JsonSchema): References {
  return new Resolver(structuredClone(schema)).resolve();
}

class Resolver {
  /** The resource that each schema belongs to. */
  readonly #schemas = new Map<Keywords, Resource>();
  /** The resources that have a URI, by it. */
  readonly #resources = new Map<string, Resource[]>();
  readonly #targets = new Map<string, JsonSchema>();
  readonly #problems = new Map<string, string>();
  readonly #idKeyword: "$id" | "id";
  /** Up to draft 7 nothing beside a `$ref` is a keyword. */
  readonly #refHidesId: boolean;
  /** How many schemas have each `$dynamicAnchor`. */
  readonly #dynamic = new Map<unknown, number>();

  constructor(root: JsonSchema) {
    const draft = isObject(root) ? String(root.$schema) : "";
    this.#idKeyword = /draft-0[34]/.test(draft) ? "id" : "$id";
    this.#refHidesId = /draft-0[3467]/.test(draft);
    const whole = { pointer: "#", schema: root };
    this.#targets.set("#", root);
    this.#visit(whole, this.#addResource(NO_ADDRESS, whole));
  }

  resolve(): References {
    // A reference may lead to a schema under any keyword, which has references of its own. The map grows meanwhile.
    for (const [schema, resource] of this.#schemas) {
      const to = typeof schema.$ref === "string" ? this.#locate(schema.$ref, resource) : MISSING;
      if (typeof to !== "string") this.#visit(to.found, to.resource);
    }
    for (const [schema, resource] of this.#schemas) this.#rewrite(schema as Changeable, resource);
    return new References(this.#targets, this.#problems);
  }

  #addResource(uri: string, found: Found): Resource {
    const resource = { uri, found, anchors: new Map<string, Found[]>() };
    add(this.#resources, uri, resource);
    return resource;
  }

  /** Notes the resource of a schema and of its subschemas, and what they are called. */
  #visit(first: Found, outer: Resource): void {
    const pending: (readonly [Found, Resource])[] = [[first, outer]];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [found, around] = next;
      const { schema, pointer } = found;
      if (!isObject(schema) || this.#schemas.has(schema)) continue;
      const resource = this.#identify(schema, found, around);
      this.#schemas.set(schema, resource);
      for (const child of subschemas(schema, pointer)) pending.push([child, resource]);
    }
  }

  #identify(schema: Keywords, found: Found, around: Resource): Resource {
    const isHidden = this.#refHidesId && typeof schema.$ref === "string";
    const id = isHidden ? undefined : schema[this.#idKeyword];
    const uri = typeof id === "string" && split(id)[0] !== "" ? absolute(id, around.uri) : undefined;
    const resource = uri === undefined ? around : this.#addResource(uri, found);
    const anchors = new Set([schema.$anchor, schema.$dynamicAnchor].filter((name) => typeof name === "string"));
    // Until 2019 an `$id` of a fragment was an anchor.
    if (typeof id === "string" && id.length > 1 && id.startsWith("#")) anchors.add(id.slice(1));
    for (const name of anchors) add(resource.anchors, name, found);
    const { $dynamicAnchor: dynamic } = schema;
    if (dynamic !== undefined) this.#dynamic.set(dynamic, (this.#dynamic.get(dynamic) ?? 0) + 1);
    return resource;
  }

  /** Where a reference leads, or why it leads nowhere. One without an address stays in the schema that it is in. */
  #locate(reference: string, own: Resource): Located | string {
    const [document, fragment] = split(reference);
    const [resource, other] = document === "" ? [own] : (this.#resources.get(absolute(document, own.uri) ?? "") ?? []);
    if (resource === undefined) return "which is outside the schema";
    if (other !== undefined) return `the $id of ${placesOf([resource.found, other.found])}`;
    const [found, another] = within(resource, fragment);
    if (found === undefined) return MISSING;
    return another === undefined ? { found, resource } : `the name of ${placesOf([found, another])}`;
  }

  #rewrite(schema: Changeable, resource: Resource): void {
    const { $ref, $dynamicRef, $recursiveRef } = schema;
    if (typeof $ref === "string") schema.$ref = this.#target($ref, resource);
    if (typeof $dynamicRef === "string" && this.#isStatic($dynamicRef, resource)) {
      delete schema.$dynamicRef;
      refer(schema, this.#target($dynamicRef, resource));
    }
    // The outermost schema that it could lead to is the whole, which it belongs to.
    if ($recursiveRef === "#" && resource.found.pointer === "#") {
      delete schema.$recursiveRef;
      refer(schema, "#");
    }
  }

  /** The place that a reference leads to. Else its text, or in an embedded schema its address, which leads nowhere. */
  #target(reference: string, resource: Resource): string {
    const to = this.#locate(reference, resource);
    if (typeof to !== "string") {
      this.#targets.set(to.found.pointer, to.found.schema);
      return to.found.pointer;
    }
    const [document, fragment] = split(reference);
    const isOfWhole = resource.found.pointer === "#";
    const text = isOfWhole ? reference : `${absolute(document, resource.uri) ?? document}#${fragment}`;
    this.#problems.set(text, to);
    return text;
  }

  /** Whether a dynamic reference leads to one place, whichever schema it is reached from. */
  #isStatic(reference: string, resource: Resource): boolean {
    const to = this.#locate(reference, resource);
    const schema = typeof to === "string" ? undefined : to.found.schema;
    if (schema === undefined || !isObject(schema)) return false;
    const [document, fragment] = split(reference);
    if (schema.$dynamicAnchor !== decoded(fragment)) return true;
    // The whole is the outermost schema, so its anchor counts.
    const isOfWhole = document === "" && resource.found.pointer === "#";
    return isOfWhole || this.#dynamic.get(schema.$dynamicAnchor) === 1;
  }
}

/** Adds a reference to a schema, which may have another. */
function refer(schema: Changeable, pointer: string): void {
  if (schema.$ref === undefined) schema.$ref = pointer;
  else schema.allOf = [...(Array.isArray(schema.allOf) ? schema.allOf : []), { $ref: pointer }];
}

/** The parts before and behind the first "#". */
function split(reference: string): readonly [string, string] {
  const at = reference.indexOf("#");
  return at < 0 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
}

/** Without a fragment; undefined for what is no reference. */
function absolute(reference: string, base: string): string | undefined {
  const [document] = split(reference);
  if (document === "") return base;
  return URL.canParse(document, base) ? new URL(document, base).href : undefined;
}

function within({ found, anchors }: Resource, fragment: string): readonly (Found | undefined)[] {
  if (fragment === "") return [found];
  return fragment.startsWith("/") ? [at(found, fragment)] : (anchors.get(decoded(fragment)) ?? []);
}

const placesOf = (all: readonly [Found, Found]): string =>
  `more than one schema: ${all.map(({ pointer }) => pointer).join(" and ")}`;

function add<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** The schema at a JSON pointer below another one. */
function at({ pointer, schema }: Found, fragment: string): Found | undefined {
  const keys = fragment.split("/").slice(1).map(decoded).map(unescaped);
  let found: unknown = schema;
  for (const key of keys) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Keywords)[key];
  }
  return { pointer: pointer + keys.map((key) => `/${escaped(key)}`).join(""), schema: found as JsonSchema };
}

const escaped = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");
const unescaped = (key: string): string => key.replaceAll("~1", "/").replaceAll("~0", "~");

/** The decoded part, or the part itself when it is not percent-encoded. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function* subschemas(schema: Keywords, pointer: string): Generator<Found, void> {
  for (const [key, value] of Object.entries(schema)) {
    const place = `${pointer}/${escaped(key)}`;
    if (SUBSCHEMAS.has(key) && isObject(value)) yield { pointer: place, schema: value };
    else if ((SUBSCHEMAS.has(key) || NAMED.has(key)) && typeof value === "object" && value !== null) {
      for (const [name, each] of Object.entries(value)) {
        yield { pointer: `${place}/${escaped(name)}`, schema: each as JsonSchema };
      }
    }
  }
}
