import { describe, expect, test } from "vitest";
import { type GgufValue, gguf } from "./gguf-value.js";
import { metadataBoolean, metadataNumber, metadataString, metadataStrings } from "./metadata.js";

const values: Readonly<Record<string, GgufValue>> = {
  text: gguf.string("llama"),
  u32: gguf.u32(7),
  u64: { type: "u64", value: 2n ** 40n },
  f32: gguf.f32(0.5),
  bool: gguf.bool(false),
  texts: gguf.strings(["a", "b"]),
  numbers: gguf.i32s(Int32Array.of(1, 2)),
};
const file = { path: "x.gguf", metadata: new Map(Object.entries(values)) };
const READERS = {
  string: metadataString,
  number: metadataNumber,
  boolean: metadataBoolean,
  strings: metadataStrings,
} as const;

describe("metadata", () => {
  test.each([
    ["string", "text", "llama"],
    ["number", "u32", 7],
    ["number", "u64", 2 ** 40],
    ["number", "f32", 0.5],
    ["boolean", "bool", false],
    ["strings", "texts", ["a", "b"]],
  ] as const)("%s under %s", (kind, key, expected) => {
    expect(READERS[kind](file, key)).toEqual(expected);
  });

  test.each(["string", "number", "boolean", "strings"] as const)("%s under an absent key is undefined", (kind) => {
    expect(READERS[kind](file, "missing")).toBeUndefined();
  });

  test.each([
    ["string", "u32", "x.gguf: u32 is of type u32, not string."],
    ["number", "text", "x.gguf: text is of type string, not a number."],
    ["number", "bool", "x.gguf: bool is of type bool, not a number."],
    ["boolean", "u32", "x.gguf: u32 is of type u32, not bool."],
    ["strings", "text", "x.gguf: text is of type string, not an array of strings."],
    ["strings", "numbers", "x.gguf: numbers is of type array, not an array of strings."],
  ] as const)("%s is refused for %s", (kind, key, message) => {
    expect(() => READERS[kind](file, key)).toThrow(expect.objectContaining({ code: "GGUF_MALFORMED", message }));
  });
});
