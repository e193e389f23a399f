import { describe, expect, it } from "vitest";
import { allowedOf } from "../testing/random-text.js";
import type { JsonSchema } from "./json-schema.js";
import { jsonSchemaGrammar, schemaGrammar } from "./json-schema-grammar.js";

const ONE = { const: 1 };
const TWO = { const: 2 };

describe("a reference", () => {
  it.each<[string, JsonSchema]>([
    ["to an anchor", { $ref: "#one", $defs: { a: { $anchor: "one", ...ONE } } }],
    ["to an older anchor", { $ref: "#one", definitions: { a: { $id: "#one", ...ONE } } }],
    ["with $defs beside it, and a type", { $ref: "#/$defs/a", type: "integer", $defs: { a: ONE } }],
    ["to another $id", { $id: "https://x.test/root", $ref: "a.json", $defs: { a: { $id: "a.json", ...ONE } } }],
    ["to an $id of a document without one", { $ref: "a.json", $defs: { a: { $id: "a.json", ...ONE } } }],
    [
      "past an $id beside it, up to draft 7",
      {
        $schema: "http://json-schema.org/draft-07/schema#",
        allOf: [{ $id: "https://x.test/sub/", $ref: "x" }],
        definitions: { a: { $id: "x", ...ONE }, b: { $id: "https://x.test/sub/x", ...TWO } },
      },
    ],
    ["to a URN", { $ref: "urn:a:b", $defs: { a: { $id: "urn:a:b", ...ONE } } }],
    [
      "to the whole, by its own address",
      { $id: "https://x.test/r", anyOf: [{ $ref: "/r#/$defs/a" }], $defs: { a: ONE } },
    ],
    [
      "against the nearest $id",
      {
        $ref: "/b/a.json",
        $id: "https://x.test/",
        $defs: {
          a: { $id: "/b/a.json", $ref: "c.json" },
          b: { $id: "/c.json", ...TWO },
          c: { $id: "/b/c.json", ...ONE },
        },
      },
    ],
    [
      "by a pointer within the nearest $id",
      { $ref: "a.json", $defs: { x: TWO, a: { $id: "a.json", $ref: "#/$defs/x", $defs: { x: ONE } } } },
    ],
    [
      "to an anchor of the nearest $id",
      {
        $ref: "a.json",
        $defs: {
          x: { $anchor: "x", ...TWO },
          a: { $id: "a.json", $ref: "#x", $defs: { x: { $anchor: "x", ...ONE } } },
        },
      },
    ],
    [
      "within a part whose $id another has as well",
      {
        $ref: "#/$defs/a",
        $defs: {
          a: { $id: "a", $ref: "#x", $defs: { x: { $anchor: "x", ...ONE } } },
          b: { $id: "a", $defs: { x: { $anchor: "x", ...TWO } } },
        },
      },
    ],
    [
      "within a part that has the $id of the whole",
      {
        $id: "https://x.test/",
        $ref: "#/$defs/a",
        $defs: { a: { $id: "/", $ref: "#/$defs/x", $defs: { x: ONE } }, x: TWO },
      },
    ],
    [
      "to a schema under any keyword",
      { $ref: "#/components/schemas/A", components: { schemas: { A: { $ref: "#/components/schemas/B" }, B: ONE } } },
    ],
    [
      "through several others",
      { allOf: [{ $ref: "#/$defs/a" }, {}], $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/c" }, c: ONE } },
    ],
    ["that is dynamic, to its only anchor", { $dynamicRef: "#n", $defs: { a: { $dynamicAnchor: "n", ...ONE } } }],
    ["that is dynamic, to a plain anchor", { $dynamicRef: "#n", $defs: { a: { $anchor: "n", ...ONE } } }],
    ["that is dynamic, by a pointer", { $dynamicRef: "#/$defs/a", $defs: { a: ONE } }],
    [
      "that is dynamic, beside another",
      { $ref: "#/$defs/b", $dynamicRef: "#n", $defs: { a: { $dynamicAnchor: "n", ...ONE }, b: { type: "integer" } } },
    ],
    [
      "by draft 4's id",
      {
        $schema: "http://json-schema.org/draft-04/schema#",
        id: "https://x.test/",
        $ref: "a",
        definitions: { a: { id: "a", ...ONE } },
      },
    ],
  ])("%s leads there", async (_, schema) => {
    expect(await allowedOf(jsonSchemaGrammar(schema), ["1", "2", '"x"'])).toEqual(["1"]);
  });

  it("that is recursive leads to the whole", async () => {
    const schema = { type: "array", items: { $recursiveRef: "#" }, $recursiveAnchor: true };
    expect(await allowedOf(jsonSchemaGrammar(schema), ["[]", "[[]]", "[1]"])).toEqual(["[]", "[[]]"]);
  });

  it("in a value is none", async () => {
    const schema = { enum: [{ $ref: "#/x" }], default: { $ref: "#/y" } };
    expect(await allowedOf(jsonSchemaGrammar(schema), ['{"$ref":"#/x"}'])).toHaveLength(1);
  });

  it.each<[string, JsonSchema, RegExp]>([
    [
      "an anchor that does not exist",
      { $ref: "#one", $defs: { a: { type: "null" } } },
      /refers to #one, which does not exist/,
    ],
    [
      "an anchor that exists twice",
      { $ref: "#n", $defs: { a: { $anchor: "n" }, b: { $anchor: "n" } } },
      /^refers to #n, the name of more than one schema: #\/\$defs\/[ab] and #\/\$defs\/[ab]$/,
    ],
    [
      "a name that is an $anchor and a $dynamicAnchor",
      { $ref: "#n", $defs: { a: { $anchor: "n" }, b: { $dynamicAnchor: "n" } } },
      /^refers to #n, the name of more than one schema: /,
    ],
    [
      "an $id that exists twice",
      { $ref: "a", $defs: { a: { $id: "a" }, b: { $id: "a" } } },
      /^refers to a, the \$id of more than one schema: #\/\$defs\/[ab] and #\/\$defs\/[ab]$/,
    ],
    [
      "an $id that exists twice, written otherwise",
      { $id: "https://x.test/", $ref: "/a#/$defs/c", $defs: { a: { $id: "a" }, b: { $id: "https://x.test/a" } } },
      /the \$id of more than one schema/,
    ],
    [
      "the $id of the whole that a part has as well",
      { $id: "https://x.test/a", anyOf: [{ $ref: "a" }], $defs: { b: { $id: "a", ...ONE } } },
      /^refers to a, the \$id of more than one schema: # and #\/\$defs\/b$/,
    ],
    ["an anchor of another $id", { $ref: "#n", $defs: { a: { $id: "a", $anchor: "n" } } }, /does not exist/],
    [
      "a pointer that the nearest $id lacks",
      { $ref: "a", $defs: { x: {}, a: { $id: "a", $ref: "#/$defs/x" } } },
      /^refers to schema:\/\/\/a#\/\$defs\/x, which does not exist$/,
    ],
    ["another document", { $ref: "other.json#/a" }, /refers to other.json#\/a, which is outside the schema/],
    ["a property of all objects", { $ref: "#/constructor" }, /does not exist/],
    ["no address", { $ref: "http://[", $defs: {} }, /outside the schema/],
  ])("to %s is refused, or let through", async (_, schema, reason) => {
    expect(() => jsonSchemaGrammar(schema)).toThrow(new RegExp(reason.source.replace(/^\^/, "")));
    const { text, waivers } = schemaGrammar(schema, { strict: false });
    expect(waivers).toEqual([{ path: expect.stringMatching(/^#/), reason: expect.stringMatching(reason) }]);
    expect(await allowedOf(text, ["1", '"x"'])).toEqual(["1", '"x"']);
  });

  it("that is dynamic, and may lead to several places, is refused by name", () => {
    const anchored = (type: string, rest = {}) => ({ $dynamicAnchor: "n", type, ...rest });
    const list = { $id: "list", type: "array", items: { $dynamicRef: "#n" }, $defs: { n: anchored("null") } };
    const schema = { $id: "https://x.test/r", $ref: "list", $defs: { list, n: anchored("string") } };
    expect(() => jsonSchemaGrammar(schema)).toThrow("#/$defs/list/items has $dynamicRef without a type");
  });
});
