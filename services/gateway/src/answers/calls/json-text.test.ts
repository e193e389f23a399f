import { describe, expect, it } from "vitest";
import { memberText, ObjectScanner } from "./json-text.js";

describe("the end of an object", () => {
  it.each([
    ['{"a": 1} rest', 8],
    ["{}", 2],
    ['{"a": {"b": [1, {"c": 2}]}}', 27],
    ['{"a": "}"}', 10],
    ['{"a": "\\"}"}', 12],
    ['{"a": "\\\\"}', 11],
  ])("%s is at %d", (text, length) => expect(new ObjectScanner().scan(text)).toBe(length));

  it.each(["{", '{"a": 1', '{"a": "}', '{"a": {"b": 2}', '{"a": "\\"}'])("%s has none yet", (text) => {
    expect(new ObjectScanner().scan(text)).toBeUndefined();
  });

  it("is the same however the text arrives", () => {
    const text = '{"a": {"b": "\\"}", "c": [1, 2]}}';
    for (let cut = 1; cut < text.length; cut++) {
      const scanner = new ObjectScanner();
      expect(scanner.scan(text.slice(0, cut))).toBeUndefined();
      expect(scanner.scan(`${text} and more`)).toBe(text.length);
    }
  });
});

describe("the text of a member", () => {
  it.each<[string, string | undefined]>([
    ['{"x": 1.50}', "1.50"],
    ['{"x": 12345678901234567890}', "12345678901234567890"],
    ['{"y": 2, "x": {"x": 3, "z": [1, {"x": 4}]}}', '{"x": 3, "z": [1, {"x": 4}]}'],
    ['{"x": "a, \\"b\\"}"}', '"a, \\"b\\"}"'],
    ['{"x": 1, "x": 2}', "2"],
    ['{ "x" : true , "y" : null }', "true"],
    ['{"\\u0078": []}', "[]"],
    ['{"y": {"x": 1}}', undefined],
    ['{"y": "x"}', undefined],
    ["{}", undefined],
  ])("of %s is %s", (object, text) => expect(memberText(object, "x")).toBe(text));
});
