import { describe, expect, test } from "vitest";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { ArchitectureKeys } from "./architecture-keys.js";

const keysOf = (metadata: Readonly<Record<string, GgufValue>>): ArchitectureKeys =>
  new ArchitectureKeys({ path: "x.gguf", metadata: new Map(Object.entries(metadata)) }, "qwen3");

describe("keys under an architecture's prefix", () => {
  const keys = keysOf({
    "qwen3.block_count": gguf.u32(36),
    "qwen3.wide": { type: "u64", value: 40_960n },
    "qwen3.half": gguf.f32(0.5),
    "qwen3.zero": gguf.u32(0),
    "qwen3.nan": gguf.f32(Number.NaN),
    "qwen3.name": gguf.string("yarn"),
    "llama.block_count": gguf.u32(32),
    block_count: gguf.u32(1),
  });

  test("are read under no other", () => {
    expect(keys.count("block_count")).toBe(36);
    expect(keys.number("wide")).toBe(40_960);
    expect(keys.string("name")).toBe("yarn");
    expect(keys.key("block_count")).toBe("qwen3.block_count");
  });

  test("may be absent where something stands in for them", () => {
    expect(keys.count("missing", 8)).toBe(8);
    expect(keys.positive("missing", 0.25)).toBe(0.25);
    expect([keys.number("missing"), keys.string("missing")]).toEqual([undefined, undefined]);
  });

  test.each([
    ["count", "missing", "x.gguf: qwen3.missing is missing."],
    ["count", "half", "x.gguf: qwen3.half is 0.5, not a whole number."],
    ["count", "zero", "x.gguf: qwen3.zero is 0, but must be above 0."],
    ["positive", "nan", "x.gguf: qwen3.nan is NaN, but must be above 0."],
    ["positive", "name", "x.gguf: qwen3.name is of type string, not a number."],
    ["string", "half", "x.gguf: qwen3.half is of type f32, not string."],
  ] as const)("%s(%s) is refused by name", (read, key, message) => {
    expect(() => keys[read](key)).toThrow(expect.objectContaining({ code: "GGUF_MALFORMED", message }));
  });

  test("given instead of an absent key are checked too", () => {
    expect(() => keys.count("attention.key_length", 4.5)).toThrow(/key_length is 4.5, not a whole number/);
  });
});
