import { expect, it } from "vitest";
import { sumRows } from "./span-results.js";

it("adds rows up, small ones to large ones too", () => {
  expect([...sumRows(Float32Array.of(1, 2, 3, 40, 50, 60), 3)]).toEqual([41, 52, 63]);
  const large = 2 ** 24; // where f32 counts in twos
  expect([...sumRows(Float32Array.of(large, 1, 1, 1), 1)]).toEqual([large + 4]);
  expect([...sumRows(Float32Array.of(large, 1, 1), 1)]).toEqual([large + 2]);
});
