import { expect, it } from "vitest";
import { expOfNegative } from "./exp-of-negative.js";

it("follows Math.exp closely, all the way down", () => {
  for (let x = 0; x > -39.9; x -= 0.00317) {
    expect(Math.abs(expOfNegative(x) / Math.exp(x) - 1)).toBeLessThan(3e-9);
  }
  expect(expOfNegative(0)).toBe(1);
  expect(expOfNegative(-41)).toBe(0);
  expect(expOfNegative(Number.NEGATIVE_INFINITY)).toBe(0);
});
