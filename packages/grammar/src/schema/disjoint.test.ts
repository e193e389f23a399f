import { describe, expect, it } from "vitest";
import { areDisjoint } from "./disjoint.js";

const tagged = (tag: unknown, required: readonly string[] = ["t"]) => ({
  type: "object",
  properties: { t: tag, n: { type: "integer" } },
  required,
});

describe("branches are told apart", () => {
  it.each([
    { name: "by type", branches: [{ type: "string" }, { type: "integer" }, { type: "null" }] },
    { name: "by lists of types", branches: [{ type: ["string", "null"] }, { type: ["integer", "boolean"] }] },
    { name: "by constants", branches: [{ const: 1 }, { const: "1" }, { enum: [2, 3] }] },
    { name: "by equal-looking constants of other types", branches: [{ const: 0 }, { const: "0" }, { const: [0] }] },
    {
      name: "by a required constant",
      branches: [tagged({ const: "a" }), tagged({ const: "b" }), tagged({ enum: ["c", "d"] })],
    },
    {
      name: "by the type of a required constant",
      branches: [tagged({ const: 1, type: "integer" }), tagged({ type: "string" })],
    },
    { name: "because one allows nothing", branches: [false, {}] },
    { name: "when there is only one", branches: [{}] },
  ])("$name", ({ branches }) => {
    expect(areDisjoint(branches)).toBe(true);
    expect(areDisjoint(branches.toReversed())).toBe(true);
  });
});

describe("branches may overlap", () => {
  it.each([
    { name: "when types are shared", branches: [{ type: ["string", "null"] }, { type: "null" }] },
    { name: "between integers and numbers", branches: [{ type: "integer" }, { type: "number" }] },
    { name: "when a constant is in both", branches: [{ enum: [1, 2] }, { enum: [2, 3] }] },
    { name: "when one says nothing of its type", branches: [{}, { type: "string" }] },
    { name: "when the constant is not required", branches: [tagged({ const: "a" }, []), tagged({ const: "b" }, [])] },
    { name: "when only one requires it", branches: [tagged({ const: "a" }), tagged({ const: "b" }, ["n"])] },
    {
      name: "when properties differ by type without a constant",
      branches: [tagged({ type: "string" }), tagged({ type: "null" })],
    },
    { name: "in any two of several", branches: [{ type: "string" }, { type: "null" }, { type: "string" }] },
    { name: "when one is true", branches: [true, { const: 1 }] },
  ])("$name", ({ branches }) => {
    expect(areDisjoint(branches)).toBe(false);
  });
});
