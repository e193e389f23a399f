import { GgmlType } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { llama } from "../architectures/llama.js";
import { qwenLike } from "../testing/qwen-like.js";
import { TINY_SHAPE } from "../testing/random-model.js";
import {
  fileTypeOf,
  parseQuantization,
  planTensors,
  QUANTIZATIONS,
  type Quantization,
  type Sensitivity,
  storageType,
} from "./quantization.js";

describe("storageType", () => {
  test.each<[Quantization, readonly number[], Sensitivity, GgmlType]>([
    ["f32", [256, 8], "usual", GgmlType.F32],
    ["bf16", [256, 8], "head", GgmlType.BF16],
    ["q8_0", [256, 8], "head", GgmlType.Q8_0],
    ["q4_0", [256, 8], "usual", GgmlType.Q4_0],
    ["q4_0", [256, 8], "head", GgmlType.Q6_K],
    ["q4_k", [256, 8], "usual", GgmlType.Q4_K],
    ["q4_k", [256, 8], "more", GgmlType.Q4_K],
    ["q4_k_m", [256, 8], "more", GgmlType.Q6_K],
    ["q4_k_m", [256, 8], "usual", GgmlType.Q4_K],
    // Vectors stay exact in every file.
    ["q4_k", [256], "usual", GgmlType.F32],
    ["f16", [256], "usual", GgmlType.F32],
    // 576 = 2.25 * 256, but 18 * 32: SmolLM2's rows.
    ["q4_k", [576, 8], "usual", GgmlType.Q5_0],
    ["q4_k", [576, 8], "head", GgmlType.Q8_0],
    ["q4_0", [576, 8], "head", GgmlType.Q8_0],
    ["q4_1", [576, 8], "usual", GgmlType.Q4_1],
    ["q4_1", [576, 8], "head", GgmlType.Q8_0],
    // 40 divides into no block.
    ["q8_0", [40, 8], "usual", GgmlType.F16],
    ["q4_k", [40, 8], "usual", GgmlType.F16],
    ["q4_0", [40, 8], "head", GgmlType.F16],
  ])("%s, rows %o, %s: type %d", (quantization, ne, sensitivity, expected) => {
    expect(storageType(quantization, { ne, sensitivity })).toBe(expected);
  });
});

describe("a quantization's name", () => {
  test.each(QUANTIZATIONS)("%s is known in any case", (name) => {
    expect(parseQuantization(name.toUpperCase())).toBe(name);
  });

  test("that is unknown is refused with the known ones", () => {
    expect(() => parseQuantization("q3_k")).toThrow(
      expect.objectContaining({
        code: "INVALID_CONFIG",
        message: "There is no type q3_k; choose one of f32, f16, bf16, q8_0, q4_0, q4_1, q4_k, q4_k_m.",
      }),
    );
  });

  test("has llama.cpp's number for it", () => {
    expect(QUANTIZATIONS.map(fileTypeOf)).toEqual([0, 1, 32, 7, 2, 3, 14, 15]);
  });
});

describe("planTensors", () => {
  const namesOf = (tied: boolean): readonly string[] =>
    planTensors({ ...TINY_SHAPE, tiedEmbeddings: tied, architecture: llama }, "q8_0", () => true).map(
      ({ name }) => name,
    );

  test("plans each tensor once, also an embedding that is the head", () => {
    expect(namesOf(false)).toHaveLength(2 * 9 + 3);
    expect(namesOf(true)).toEqual(namesOf(false).filter((name) => name !== "output.weight"));
    expect(new Set(namesOf(true)).size).toBe(namesOf(true).length);
  });

  test("asks about optional tensors only", () => {
    const asked: string[] = [];
    const planned = planTensors({ ...TINY_SHAPE, architecture: qwenLike }, "f16", ({ name }) => {
      asked.push(name);
      return name.startsWith("blk.1.");
    });
    expect(asked).toEqual(["blk.0.attn_v.bias", "blk.1.attn_v.bias"]);
    expect(planned.filter(({ kind }) => kind === "bias").map(({ name, type }) => [name, type])).toEqual([
      ["blk.1.attn_v.bias", GgmlType.F32],
    ]);
  });

  test("stores a tied embedding as the head that it is", () => {
    const model = { ...TINY_SHAPE, dim: 256, architecture: llama };
    const typeOf = (tiedEmbeddings: boolean) => planTensors({ ...model, tiedEmbeddings }, "q4_k", () => true)[0]?.type;
    expect([typeOf(false), typeOf(true)]).toEqual([GgmlType.Q4_K, GgmlType.Q6_K]);
  });

  test("gives attn_v and ffn_down of a Q4_K_M file more bits in llama.cpp's layers", () => {
    const model = { ...TINY_SHAPE, dim: 256, hiddenDim: 512, nHeads: 16, nLayers: 32, architecture: llama };
    const planned = planTensors(model, "q4_k_m", () => true).filter(({ type }) => type === GgmlType.Q6_K);
    const layersOf = (role: string) => planned.filter((tensor) => tensor.role === role).map(({ layer }) => layer);
    const layers = [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31];
    expect([layersOf("attnV"), layersOf("ffnDown")]).toEqual([layers, layers]);
    expect(planned.map(({ name }) => name)).toHaveLength(2 * layers.length + 1);
  });
});
