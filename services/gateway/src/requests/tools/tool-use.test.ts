import { describe, expect, it } from "vitest";
import { z } from "zod";
import { parseRequest } from "../request-fields.js";
import { toolFields } from "./tool-fields.js";
import { toToolUse } from "./tool-use.js";

const schema = z.object(toolFields);
const named = (name: string, more: object = {}) => ({ type: "function", function: { name, ...more } });
const tools = [named("a", { description: "first" }), named("b", { parameters: { type: "object" }, strict: true })];
const use = (fields: object) => toToolUse(parseRequest(schema, fields));

describe("the choice among tools", () => {
  it.each<[unknown, boolean, string[]]>([
    [undefined, false, ["a", "b"]],
    ["auto", false, ["a", "b"]],
    ["any", true, ["a", "b"]],
    ["required", true, ["a", "b"]],
    [named("b"), true, ["b"]],
    [{ type: "allowed_tools", allowed_tools: { mode: "auto", tools: [named("a")] } }, false, ["a"]],
    [{ type: "allowed_tools", allowed_tools: { mode: "required", tools: [named("b"), named("a")] } }, true, ["b", "a"]],
    [{ type: "allowed_tools", allowed_tools: { mode: "auto", tools: [named("a"), named("a")] } }, false, ["a"]],
  ])("%j: forced %s, callable %j", (tool_choice, forced, callable) => {
    const found = use({ tools, tool_choice });
    expect([found?.forced, found?.callable.map(({ name }) => name)]).toEqual([forced, callable]);
  });

  it.each<[string, object]>([
    ["there are no tools", {}],
    ["the list of tools is empty", { tools: [], tool_choice: "auto" }],
    ["the choice is none", { tools, tool_choice: "none" }],
    ["there is nothing to choose from, and none is chosen", { tool_choice: "none" }],
  ])("is text alone where %s", (_, fields) => expect(use(fields)).toBeUndefined());

  it("shows the model every tool, without what only the gateway needs", () => {
    expect(use({ tools, tool_choice: named("b") })?.tools).toEqual([
      { name: "a", description: "first" },
      { name: "b", parameters: { type: "object" } },
    ]);
  });

  it.each([
    [undefined, true],
    [true, true],
    [false, false],
  ])("parallel_tool_calls: %s allows several calls: %s", (parallel_tool_calls, parallel) => {
    expect(use({ tools, parallel_tool_calls })?.parallel).toBe(parallel);
  });
});

describe("refusals", () => {
  it.each<[string, object, string]>([
    ["a choice without tools", { tool_choice: "required" }, "tool_choice"],
    ["a function that is not among the tools", { tools, tool_choice: named("c") }, "tool_choice"],
    ["an allowed tool that is not among them", allowed("c"), "tool_choice"],
    ["an unknown choice", { tools, tool_choice: "maybe" }, "tool_choice"],
    ["two functions of one name", { tools: [named("a"), named("b"), named("a")] }, "tools.2.function.name"],
    ["a name with a space", { tools: [named("a b")] }, "tools.0.function.name"],
    ["a name of 65 letters", { tools: [named("a".repeat(65))] }, "tools.0.function.name"],
    ["a tool of another kind", { tools: [{ ...named("a"), type: "browser" }] }, "tools.0.type"],
    ["129 tools", { tools: Array.from({ length: 129 }, (_, index) => named(`f${index}`)) }, "tools"],
  ])("%s", (_, fields, param) => {
    expect(() => use(fields)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST", param }));
  });

  function allowed(name: string): object {
    return { tools, tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [named(name)] } } };
  }
});
