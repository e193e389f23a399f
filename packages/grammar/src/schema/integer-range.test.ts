import { describe, expect, it } from "vitest";
import { integerRange, sameLength } from "./integer-range.js";

/** The alternatives as one JavaScript expression: they consist of digits, a sign and classes of digits alone. */
const patternOf = (alternatives: readonly string[]): RegExp =>
  new RegExp(`^(?:${alternatives.map((way) => way.replaceAll(/["\s]/g, "")).join("|")})$`);
const numbersOf = (alternatives: readonly string[], from: number, to: number): number[] => {
  const pattern = patternOf(alternatives);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i).filter((value) => pattern.test(String(value)));
};

describe("integerRange", () => {
  it.each([
    [0, 9],
    [7, 123],
    [0, 0],
    [10, 10],
    [99, 101],
    [-5, 5],
    [-120, -7],
    [-1, 0],
    [-1000, 1000],
    [100, 999],
    [109, 1090],
    [-1200, -1200],
  ])("from %i to %i spells exactly those numbers", (min, max) => {
    const expected = Array.from({ length: max - min + 1 }, (_, i) => min + i);
    expect(numbersOf(integerRange(min, max), -1300, 1300)).toEqual(expected);
  });

  it("is empty for an empty range", () => {
    expect(integerRange(3, 2)).toEqual([]);
    expect(integerRange(1e15, 1e16)).toEqual([]);
  });

  it.each([
    {
      min: Number.NEGATIVE_INFINITY,
      max: -5,
      allowed: ["-5", "-999999999999999"],
      refused: ["-4", "0", "-1000000000000000"],
    },
    { min: 12, max: Number.POSITIVE_INFINITY, allowed: ["12", "999999999999999"], refused: ["11", "1000000000000000"] },
    { min: -3, max: Number.POSITIVE_INFINITY, allowed: ["-3", "0", "7"], refused: ["-4"] },
  ])("without one bound goes to 15 digits: $min to $max", ({ min, max, allowed, refused }) => {
    const pattern = patternOf(integerRange(min, max));
    expect([...allowed, ...refused].filter((text) => pattern.test(text))).toEqual(allowed);
  });

  it("never spells leading zeros or a sign of zero", () => {
    const pattern = patternOf(integerRange(-100, 100));
    expect(["00", "007", "-0", "-01", "+1"].filter((text) => pattern.test(text))).toEqual([]);
  });
});

describe("sameLength", () => {
  it.each([
    { from: "120", to: "123", ways: ['"1" "2" [0-3]'] },
    { from: "5", to: "5", ways: ['"5"'] },
    { from: "00", to: "99", ways: ["[0-9] [0-9]"] },
    { from: "18", to: "31", ways: ['"1" [8-9]', "[2-2] [0-9]", '"3" [0-1]'] },
  ])("splits $from to $to by prefix", ({ from, to, ways }) => {
    expect(sameLength(from, to)).toEqual(ways);
  });
});
