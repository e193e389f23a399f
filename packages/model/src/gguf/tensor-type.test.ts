import { GgmlType } from "@rhone/ggml";
import { expect, test } from "vitest";
import { dividesIntoBlocks, tensorBytes, tensorTypeName } from "./tensor-type.js";

test.each([
  ["a vector of F32", GgmlType.F32, [4096], 16_384],
  ["two rows of Q4_0", GgmlType.Q4_0, [4096, 2], 4608],
  ["Mistral 7B's embedding in Q8_0", GgmlType.Q8_0, [4096, 32_000], 139_264_000],
  ["three experts of two rows", GgmlType.Q4_K, [256, 2, 3], 864],
  ["four dimensions", GgmlType.F16, [2, 3, 4, 5], 240],
])("%s takes %s bytes", (_, type, ne, bytes) => {
  expect(tensorBytes(type, ne)).toBe(bytes);
});

test("a row that does not divide into blocks has no size", () => {
  expect(() => tensorBytes(GgmlType.Q8_0, [33, 2])).toThrow(
    expect.objectContaining({ code: "TENSOR_TYPE_UNSUPPORTED" }),
  );
});

test.each([
  [GgmlType.F32, 1, true],
  [GgmlType.Q8_0, 64, true],
  [GgmlType.Q8_0, 48, false],
  [GgmlType.Q4_K, 128, false],
  [GgmlType.Q4_K, 512, true],
])("type %d, rows of %d: %s", (type, elements, expected) => {
  expect(dividesIntoBlocks(type, elements)).toBe(expected);
});

test("types have ggml's names, and unknown ones a number", () => {
  expect([tensorTypeName(GgmlType.Q6_K), tensorTypeName(99)]).toEqual(["Q6_K", "type 99"]);
});
