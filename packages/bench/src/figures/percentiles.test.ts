import { describe, expect, it, test } from "vitest";
import { median, medianBy, percentilesOf, quantile } from "./percentiles.js";

describe("quantile", () => {
  it.each([
    [[10, 20, 30, 40], 0, 10],
    [[10, 20, 30, 40], 0.5, 25],
    [[10, 20, 30, 40], 0.95, 38.5],
    [[10, 20, 30, 40], 1, 40],
    [[7], 0.99, 7],
  ])("of %j at %d is %d, as numpy has it", (values, share, expected) => {
    expect(quantile(values, share)).toBeCloseTo(expected, 9);
  });

  it("of nothing is not a number", () => expect(quantile([], 0.5)).toBeNaN());
});

test("percentiles need no order and are rounded to the microsecond", () => {
  const values = Array.from({ length: 101 }, (_, i) => 100 - i).map((value) => value + 0.00004);
  expect(percentilesOf(values)).toEqual({ p50: 50, p95: 95, p99: 99 });
});

describe("medianBy", () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2],
    [[5], 5],
  ])("of %j takes %d", (values, expected) => expect(medianBy(values, (value) => value)).toBe(expected));

  it("refuses nothing", () => expect(() => medianBy([], (value: number) => value)).toThrow(RangeError));
});

test("the median of numbers is interpolated, and there is none of nothing", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
});
