import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ALL_CODE_POINTS,
  type CodePoints,
  complement,
  contains,
  difference,
  intersection,
  union,
} from "./code-points.js";

describe("union", () => {
  it.each<{ name: string; sets: CodePoints[]; expected: CodePoints }>([
    { name: "of nothing", sets: [], expected: [] },
    {
      name: "sorts",
      sets: [[[9, 9]], [[1, 2]]],
      expected: [
        [1, 2],
        [9, 9],
      ],
    },
    { name: "joins ranges that overlap", sets: [[[1, 5]], [[3, 8]]], expected: [[1, 8]] },
    { name: "joins neighbours", sets: [[[1, 2]], [[3, 4]]], expected: [[1, 4]] },
    { name: "keeps what one range contains", sets: [[[1, 9]], [[3, 4]]], expected: [[1, 9]] },
    {
      name: "drops surrogates",
      sets: [[[0xd7fe, 0xe001]]],
      expected: [
        [0xd7fe, 0xd7ff],
        [0xe000, 0xe001],
      ],
    },
  ])("$name", ({ sets, expected }) => {
    expect(union(...sets)).toEqual(expected);
  });
});

describe("complement", () => {
  it("of nothing is every scalar value, and back", () => {
    expect(complement([])).toEqual(ALL_CODE_POINTS);
    expect(complement(ALL_CODE_POINTS)).toEqual([]);
  });

  it("leaves the gaps", () => {
    expect(
      complement([
        [0x41, 0x5a],
        [0x61, 0x10ffff],
      ]),
    ).toEqual([
      [0, 0x40],
      [0x5b, 0x60],
    ]);
  });
});

/** A set within 0 to 40, as ranges and as a Set. */
const small = fc
  .array(fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 6 })), { maxLength: 6 })
  .map((ranges) => ranges.map(([first, length]) => [first, first + length] as const));
const members = (set: CodePoints) => Array.from({ length: 64 }, (_, i) => i).filter((value) => contains(set, value));

describe("sets of code points", () => {
  it("combine as sets do", () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        const [inA, inB] = [new Set(members(a)), new Set(members(b))];
        const both = (keep: (value: number) => boolean) => Array.from({ length: 64 }, (_, i) => i).filter(keep);
        expect(members(union(a, b))).toEqual(both((v) => inA.has(v) || inB.has(v)));
        expect(members(intersection(union(a), union(b)))).toEqual(both((v) => inA.has(v) && inB.has(v)));
        expect(members(difference(union(a), b))).toEqual(both((v) => inA.has(v) && !inB.has(v)));
        expect(complement(complement(a))).toEqual(union(a));
      }),
    );
  });
});
