import { RhoneError } from "@rhone/common";
import { checkEbnf, writeLenient } from "@rhone/grammar";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { fakeGrammars } from "../../testing/fake-gateway.js";
import { parseRequest } from "../request-fields.js";
import type { CallRules } from "../tools/call-rules.js";
import { askedSource } from "./asked-source.js";
import { readConstraint } from "./read-constraint.js";
import { structuredFields } from "./structured-fields.js";

const schema = z.object(structuredFields);
const read = (body: object) => parseRequest(schema, body);
const ebnf = 'root ::= "yes" | "no"';
const object = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };

describe("the field that asks for a form", () => {
  it.each<[string, object, string]>([
    ["OpenAI's object", { response_format: { type: "json_object" } }, "response_format"],
    ["an object with a schema", { response_format: { type: "json_object", schema: object } }, "response_format"],
    [
      "OpenAI's schema",
      { response_format: { type: "json_schema", json_schema: { schema: object } } },
      "response_format",
    ],
    [
      "Mistral's schema",
      { response_format: { type: "json_schema", json_schema: { schema_definition: object } } },
      "response_format",
    ],
    ["a schema beside the type", { response_format: { type: "json_schema", schema: object } }, "response_format"],
    ["vLLM's json", { structured_outputs: { json: object } }, "structured_outputs.json"],
    ["vLLM's json as text", { structured_outputs: { json: JSON.stringify(object) } }, "structured_outputs.json"],
    ["vLLM's regex", { structured_outputs: { regex: "[0-9]+" } }, "structured_outputs.regex"],
    ["vLLM's choice", { structured_outputs: { choice: ["a", "b"] } }, "structured_outputs.choice"],
    ["vLLM's grammar", { structured_outputs: { grammar: ebnf } }, "structured_outputs.grammar"],
    ["vLLM's json_object", { structured_outputs: { json_object: true } }, "structured_outputs.json_object"],
    ["vLLM's older json", { guided_json: object }, "guided_json"],
    ["vLLM's older regex", { guided_regex: "a+" }, "guided_regex"],
    ["vLLM's older choice", { guided_choice: ["a"] }, "guided_choice"],
    ["vLLM's older grammar", { guided_grammar: ebnf }, "guided_grammar"],
    ["llama-server's schema", { json_schema: object }, "json_schema"],
    ["llama-server's grammar", { grammar: ebnf }, "grammar"],
  ])("%s", (_, body, param) => {
    const found = askedSource(read(body));
    expect(found?.param).toBe(param);
    expect(() => checkEbnf(found === undefined ? "" : writeLenient(found).grammar)).not.toThrow();
  });

  it.each<[string, object]>([
    ["nothing", {}],
    ["text", { response_format: { type: "text" } }],
    ["no object", { structured_outputs: { json_object: false } }],
  ])("is none for %s", (_, body) => expect(askedSource(read(body))).toBeUndefined());

  it.each<[string, object, string]>([
    ["two forms", { guided_regex: "a", grammar: ebnf }, "grammar"],
    ["two kinds in one field", { structured_outputs: { regex: "a", choice: ["b"] } }, "structured_outputs.choice"],
    ["a format without its schema", { response_format: { type: "json_schema" } }, "response_format.json_schema"],
    ["a schema that nothing satisfies", { guided_json: false }, "guided_json"],
    ["a broken pattern", { guided_regex: "(" }, "guided_regex"],
    ["an unknown format", { response_format: { type: "xml" } }, "response_format.type"],
    ["text that is no schema", { guided_json: "{" }, "guided_json"],
    ["a text that is too long for a schema", { guided_json: `{"const":"${"x".repeat(600_000)}"}` }, "guided_json"],
    ["a text that nests too deep", { guided_json: `{"const":${"[".repeat(1000)}${"]".repeat(1000)}}` }, "guided_json"],
    ["no choices", { guided_choice: [] }, "guided_choice"],
  ])("is refused: %s", async (_, body, param) => {
    const asked = async () => readConstraint(fakeGrammars, read(body), { leadingSpace: false, owner: "" });
    await expect(asked()).rejects.toMatchObject({ code: "INVALID_REQUEST", param });
  });
});

const calls = (format: Partial<CallRules["format"]>, strict = false): CallRules => ({
  format: { marker: null, forced: false, names: ["f"], parallel: true, ...format },
  source: { kind: "ebnf", param: "tools", grammar: 'root ::= "call"' },
  strict,
});

describe("the constraint", () => {
  const ask = async (body: object, options: { leadingSpace?: boolean; calls?: CallRules } = {}) => {
    const asked = { leadingSpace: false, owner: "", ...options };
    return (await readConstraint(fakeGrammars, read(body), asked)).constraint;
  };

  it("is none where nothing is asked for", async () => {
    expect(await ask({})).toBeNull();
    expect(await ask({}, { calls: calls({}) })).toBeNull();
  });

  it("covers the whole answer", async () => {
    expect(await ask({ grammar: ebnf })).toEqual({ grammar: ebnf, trigger: null, otherwise: null });
  });

  it("begins behind the space that the tokenizer adds", async () => {
    const constraint = await ask({ grammar: ebnf }, { leadingSpace: true });
    expect(constraint?.grammar).not.toBe(ebnf);
    expect(() => checkEbnf(constraint?.grammar ?? "")).not.toThrow();
  });

  it("of forced calls is theirs alone, whatever else is asked for", async () => {
    const constraint = await ask({ grammar: ebnf }, { calls: calls({ forced: true, marker: 5 }) });
    expect(constraint).toEqual({ grammar: 'root ::= "call"', trigger: null, otherwise: null });
  });

  it("of calls that a token announces holds from that token on; the body's holds otherwise", async () => {
    const constraint = await ask({ grammar: ebnf }, { calls: calls({ marker: 5 }) });
    expect(constraint).toEqual({ grammar: 'root ::= "call"', trigger: 5, otherwise: ebnf });
    expect(await ask({}, { calls: calls({ marker: 5 }) })).toMatchObject({ trigger: 5, otherwise: null });
  });

  it("of calls that only the text shows is either form", async () => {
    const constraint = await ask({ grammar: ebnf }, { calls: calls({}) });
    for (const part of ['"call"', '"yes"']) expect(constraint?.grammar).toContain(part);
    expect(await ask({}, { calls: calls({}, true) })).not.toBeNull();
  });

  const unenforceable = { ...object, patternProperties: { "^x-": {} } };
  const format = (strict?: boolean) => ({
    type: "json_schema",
    json_schema: { schema: unenforceable, ...(strict !== undefined && { strict }) },
  });

  it.each([{ response_format: format() }, { response_format: format(false) }])(
    "of a schema that is not strict says what it lets through: %j",
    async (body) => {
      const { constraint, warnings } = await readConstraint(fakeGrammars, read(body), {
        leadingSpace: false,
        owner: "",
      });
      expect(constraint?.grammar).toContain('\\"a\\"');
      expect(warnings).toEqual([
        {
          param: "response_format",
          path: "#",
          reason: "has the keyword patternProperties, which cannot be enforced here",
        },
      ]);
    },
  );

  it.each([
    [{ response_format: format(true) }, "response_format"],
    [{ response_format: { type: "json_object", schema: unenforceable } }, "response_format"],
    [{ guided_json: unenforceable }, "guided_json"],
    [{ structured_outputs: { json: unenforceable } }, "structured_outputs.json"],
    [{ json_schema: unenforceable }, "json_schema"],
  ])("of a schema that must be held is refused with the place: %j", async (body, param) => {
    const asked = readConstraint(fakeGrammars, read(body), { leadingSpace: false, owner: "" });
    const message = `${param} # has the keyword patternProperties, which cannot be enforced here.`;
    await expect(asked).rejects.toMatchObject({ code: "INVALID_REQUEST", param, message });
  });

  it("that takes too long to compile is refused by the field's name, with what to do", async () => {
    const error = new RhoneError("GRAMMAR_TOO_COSTLY", "took longer than 1 s to compile");
    const slow = { build: () => Promise.reject(error) };
    const asked = readConstraint(slow, read({ guided_regex: "a" }), { leadingSpace: false, owner: "" });
    await expect(asked).rejects.toMatchObject({
      code: "GRAMMAR_TOO_COSTLY",
      param: "guided_regex",
      message: expect.stringMatching(
        /^guided_regex took longer than 1 s to compile; ask for fewer .*--grammar-timeout-ms/,
      ),
    });
  });

  it("passes other failures on as they are", async () => {
    const broken = { build: () => Promise.reject(new Error("thread died")) };
    const asked = readConstraint(broken, read({ guided_regex: "a" }), { leadingSpace: false, owner: "" });
    await expect(asked).rejects.toThrow("thread died");
  });
});
