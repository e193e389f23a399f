import { dequantize, GgmlType, openEngine, rowSize } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { floatToHalf } from "../quantization/half.js";
import { convertRows, interleaveHeads, toFloat32 } from "./convert-rows.js";

const engine = openEngine();
const NUMBERS = [0, 1, -2.5, 0.15625, 1024, -0.0078125];

const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const f32 = bytesOf(Float32Array.from(NUMBERS));
const f16 = bytesOf(Uint16Array.from(NUMBERS, floatToHalf));
const bf16 = bytesOf(
  Uint16Array.from(NUMBERS, (_, i) => (new Uint32Array(Float32Array.from(NUMBERS).buffer)[i] ?? 0) >>> 16),
);

describe("toFloat32", () => {
  test.each([
    ["F32", f32],
    ["F16", f16],
    ["BF16", bf16],
  ] as const)("reads %s exactly", (dtype, bytes) => {
    expect([...toFloat32(bytes, dtype)]).toEqual(NUMBERS);
  });

  test.each([
    ["F32", f32],
    ["F16", f16],
    ["BF16", bf16],
  ] as const)("reads %s that begins at an odd byte", (dtype, bytes) => {
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect([...toFloat32(shifted.subarray(3), dtype)]).toEqual(NUMBERS);
  });

  test("keeps infinities, NaN and the smallest halves", () => {
    const halves = Uint16Array.of(0x7c00, 0xfc00, 0x7e00, 0x0001);
    expect([...toFloat32(bytesOf(halves), "F16")]).toEqual([Infinity, -Infinity, Number.NaN, 2 ** -24]);
  });
});

describe("convertRows", () => {
  test.each([
    ["F32", GgmlType.F32, f32],
    ["F16", GgmlType.F16, f16],
    ["BF16", GgmlType.BF16, bf16],
  ] as const)("gives %s bytes back when they are to stay what they are", (from, to, bytes) => {
    expect(convertRows(engine, bytes, { from, to, nPerRow: NUMBERS.length })).toBe(bytes);
  });

  test("goes from one 16-bit format to the other through f32", () => {
    const converted = convertRows(engine, bf16, { from: "BF16", to: GgmlType.F16, nPerRow: NUMBERS.length });
    expect([...converted]).toEqual([...f16]);
  });

  test("quantizes row by row", () => {
    const rows = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? i : 100 * i));
    const converted = convertRows(engine, bytesOf(rows), { from: "F32", to: GgmlType.Q8_0, nPerRow: 32 });
    expect(converted.length).toBe(2 * rowSize(GgmlType.Q8_0, 32));
    const numbers = dequantize(engine, GgmlType.Q8_0, converted);
    // A block's scale is its greatest number over 127; half a step is the most that rounding moves.
    expect(Math.max(...numbers.slice(0, 32).map((value, i) => Math.abs(value - i)))).toBeLessThan(31 / 127 / 2 + 0.02);
    expect(numbers[63]).toBeCloseTo(6300, -1);
  });
});

describe("interleaveHeads", () => {
  const order = (rows: number, headDim: number, rowBytes = 1): readonly number[] => {
    const source = Uint8Array.from({ length: rows * rowBytes }, (_, i) => Math.floor(i / rowBytes));
    const moved = interleaveHeads(source, { headDim, rowBytes });
    return Array.from({ length: rows }, (_, row) => moved[row * rowBytes] ?? Number.NaN);
  };

  test.each([
    ["a head of 2", 2, 2, [0, 1]],
    ["a head of 4", 4, 4, [0, 2, 1, 3]],
    ["a head of 8", 8, 8, [0, 4, 1, 5, 2, 6, 3, 7]],
    ["two heads of 4", 8, 4, [0, 2, 1, 3, 4, 6, 5, 7]],
    ["three heads of 2", 6, 2, [0, 1, 2, 3, 4, 5]],
  ])("reorders the rows of %s", (_, rows, headDim, expected) => {
    expect(order(rows, headDim)).toEqual(expected);
  });

  test("moves rows whole", () => {
    const source = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    expect([...interleaveHeads(source, { headDim: 4, rowBytes: 3 })]).toEqual([1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12]);
  });
});
