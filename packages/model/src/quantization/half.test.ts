import { expect, test } from "vitest";
import { floatToHalf, halfToFloat } from "./half.js";

test("every half-precision number survives the way to float and back", () => {
  const halves = Array.from({ length: 65_536 }, (_, half) => half).filter((half) => !Number.isNaN(halfToFloat(half)));
  expect(halves.filter((half) => floatToHalf(halfToFloat(half)) !== half)).toEqual([]);
});

test.each([
  [1, 0x3c00],
  [-2, 0xc000],
  [65_504, 0x7bff],
  [65_520, 0x7c00],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 ** -14 - 2 ** -26, 0x0400],
  [2 ** -25, 0x0000],
  [1.5 * 2 ** -24, 0x0002],
  [2 - 2 ** -12, 0x4000],
  [Number.NaN, 0x7e00],
])("%f is nearest to %i", (value, half) => {
  expect(floatToHalf(value)).toBe(half);
});
