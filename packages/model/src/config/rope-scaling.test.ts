import { GgmlType } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { type GgufValue, gguf } from "../gguf/gguf-value.js";
import { ArchitectureKeys } from "./architecture-keys.js";
import { readRopeScaling } from "./rope-scaling.js";

function read(metadata: Readonly<Record<string, GgufValue>>, pairs?: number) {
  const prefixed = Object.entries(metadata).map(([key, value]) => [`llama.rope.${key}`, value] as const);
  const keys = new ArchitectureKeys({ path: "x.gguf", metadata: new Map(prefixed) }, "llama");
  const freqs =
    pairs === undefined
      ? undefined
      : { name: "rope_freqs.weight", path: "x.gguf", type: GgmlType.F32, ne: [pairs], offset: 0, bytes: 4 };
  return readRopeScaling(keys, { freqs, ropeDim: 64 });
}

describe("RoPE scaling", () => {
  test.each<[string, Record<string, GgufValue>, number | undefined, object]>([
    ["nothing", {}, undefined, { kind: "none" }],
    ["none", { "scaling.type": gguf.string("none"), "scaling.factor": gguf.f32(4) }, undefined, { kind: "none" }],
    ["a factor without a type", { "scaling.factor": gguf.f32(4) }, undefined, { kind: "linear", factor: 4 }],
    ["the key of early files", { scale_linear: gguf.f32(2) }, undefined, { kind: "linear", factor: 2 }],
    ["a factor of 0, which means none", { "scaling.factor": gguf.f32(0) }, undefined, { kind: "none" }],
    [
      "a factor of 1",
      { "scaling.type": gguf.string("linear"), "scaling.factor": gguf.f32(1) },
      undefined,
      { kind: "none" },
    ],
    ["Llama 3's tensor", {}, 32, { kind: "frequency-factors" }],
  ])("of %s", (_, metadata, pairs, expected) => {
    expect(read(metadata, pairs)).toEqual(expected);
  });

  test.each<[string, Record<string, GgufValue>, number | undefined, string, RegExp]>([
    [
      "YaRN",
      { "scaling.type": gguf.string("yarn") },
      undefined,
      "MODEL_UNSUPPORTED",
      /llama.rope.scaling.type is yarn/,
    ],
    ["a negative factor", { "scaling.factor": gguf.f32(-1) }, undefined, "GGUF_MALFORMED", /scaling.factor is -1/],
    ["factors for other heads", {}, 16, "GGUF_MALFORMED", /has 16 elements; heads of 64 need 32/],
    ["two kinds at once", { "scaling.factor": gguf.f32(2) }, 32, "MODEL_UNSUPPORTED", /by 2 together with rope_freqs/],
  ])("refuses %s", (_, metadata, pairs, code, message) => {
    const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) });
    expect(() => read(metadata, pairs)).toThrow(refusal);
  });
});
