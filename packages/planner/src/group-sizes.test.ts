import { expect, it } from "vitest";
import { groupSizes } from "./group-sizes.js";

it.each([
  [
    16,
    3,
    [
      [6, 1],
      [5, 2],
    ],
  ],
  [16, 2, [[8, 2]]],
  [2, 3, [[1, 2]]],
  [1, 1, [[1, 1]]],
])("%i sequences in %i groups", (sequences, groups, expected) => {
  expect(groupSizes(sequences, groups).map(({ rows, count }) => [rows, count])).toEqual(expected);
});
