import { describe, expect, it } from "vitest";
import { openEngine } from "../native/engine.js";
import { GgmlType, type GgmlTypeName, rowSize } from "./ggml-type.js";
import { dequantize, quantizeChunk } from "./quantize.js";

const engine = openEngine();
const source = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i * 0.7) + Math.cos(i * 0.013));

describe("quantizeChunk", () => {
  it.each<{ name: GgmlTypeName; worst: number }>([
    { name: "F32", worst: 0 },
    { name: "F16", worst: 1e-3 },
    { name: "BF16", worst: 1e-2 },
    { name: "Q8_0", worst: 1e-2 },
    { name: "Q6_K", worst: 0.06 },
    { name: "Q5_0", worst: 0.13 },
    { name: "Q4_0", worst: 0.26 },
    { name: "Q4_K", worst: 0.2 },
    { name: "Q2_K", worst: 0.9 },
  ])("to $name and back stays within $worst", ({ name, worst }) => {
    const type = GgmlType[name];
    const bytes = quantizeChunk(engine, { type, source, nPerRow: 256 });
    expect(bytes.byteLength).toBe(rowSize(type, 1024));
    const back = dequantize(engine, type, bytes);
    const error = back.reduce((most, value, i) => Math.max(most, Math.abs(value - (source[i] ?? 0))), 0);
    expect(error).toBeLessThanOrEqual(worst);
  });

  it.each(["Q4_1", "Q5_1", "Q3_K", "Q5_K", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4"] as const)(
    "writes every row of %s by itself",
    (name) => {
      const type = GgmlType[name];
      const whole = quantizeChunk(engine, { type, source, nPerRow: 256 });
      const rows = [0, 1, 2, 3].map((row) =>
        quantizeChunk(engine, { type, source: source.subarray(256 * row, 256 * (row + 1)), nPerRow: 256 }),
      );
      expect(Buffer.concat(rows).equals(whole)).toBe(true);
      expect(dequantize(engine, type, whole).every(Number.isFinite)).toBe(true);
    },
  );

  it("copies f32, so that the caller may go on writing to its own", () => {
    const own = Float32Array.of(1, 2, 3, 4);
    const bytes = quantizeChunk(engine, { type: GgmlType.F32, source: own.subarray(1, 3), nPerRow: 2 });
    own.fill(0);
    expect([...dequantize(engine, GgmlType.F32, bytes)]).toEqual([2, 3]);
  });

  it("refuses types that need more than the numbers, rows that don't divide, and part rows", () => {
    const unsupported = expect.objectContaining({ code: "TENSOR_TYPE_UNSUPPORTED" });
    for (const type of [GgmlType.IQ2_XXS, GgmlType.I32, GgmlType.Q8_K]) {
      expect(() => quantizeChunk(engine, { type, source, nPerRow: 256 })).toThrowError(unsupported);
    }
    expect(() => quantizeChunk(engine, { type: GgmlType.Q4_K, source, nPerRow: 128 })).toThrowError(unsupported);
    expect(() => quantizeChunk(engine, { type: GgmlType.F16, source, nPerRow: 1000 })).toThrow(
      /1024 numbers can't be divided into rows of 1000/,
    );
  });
});

describe("dequantize", () => {
  it("refuses part blocks and integers", () => {
    expect(() => dequantize(engine, GgmlType.Q8_0, new Uint8Array(33))).toThrow(
      /33 bytes are not whole Q8_0 blocks, which take 34 bytes each/,
    );
    expect(() => dequantize(engine, GgmlType.I32, new Uint8Array(4))).toThrowError(
      expect.objectContaining({ code: "TENSOR_TYPE_UNSUPPORTED" }),
    );
  });
});
