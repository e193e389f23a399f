import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dumpJson, respaceJson } from "./python-json.js";
import { callJson, mistralCallId } from "./tool-calls.js";

describe("callJson", () => {
  test.each([
    ['{"x":1}', '{"name": "f", "arguments": {"x": 1}'],
    ["", '{"name": "f", "arguments": {}'],
    ['{ "b" : [1,2.0], "a" : null }', '{"name": "f", "arguments": {"b": [1, 2.0], "a": null}'],
  ])("spaces arguments %o as models saw them", (text, expected) => {
    expect(callJson({ id: "a", name: "f", arguments: text })).toBe(expected);
  });

  test("escapes a name", () => {
    expect(callJson({ id: "a", name: 'f"', arguments: "" })).toBe('{"name": "f\\"", "arguments": {}');
  });

  test("refuses arguments that are not JSON, by the function's name", () => {
    expect(() => callJson({ id: "a", name: "weather", arguments: "{place}" })).toThrow(
      expect.objectContaining({
        code: "CHAT_TEMPLATE_FAILED",
        message: "The chat template cannot encode this: the arguments of the call to weather are not JSON.",
      }),
    );
  });
});

test("a call's id has nine letters and digits, the same ones each time, and stays itself if it has", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), async (id) => {
      const mistral = mistralCallId(id);
      expect(mistral).toMatch(/^[a-zA-Z0-9]{9}$/);
      expect(mistralCallId(id)).toBe(mistral);
      expect(mistralCallId(mistral)).toBe(mistral);
    }),
  );
});

test("JSON spaced as Python writes it means the same", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const dumped = dumpJson(value);
      expect(JSON.parse(dumped)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(respaceJson(dumped)).toBe(dumped);
    }),
  );
});

test("what JSON cannot hold is refused", () => {
  expect(() => dumpJson(undefined)).toThrow(/a tool's definition is not JSON/);
});
