import { describe, expect, it } from "vitest";
import { mergeCalibrations } from "./calibration.js";

const curve = (...points: readonly (readonly [number, number, number])[]) =>
  points.map(([rows, layerMs, headMs]) => ({ rows, layerMs, headMs }));

describe("mergeCalibrations", () => {
  it("takes the least of each time, and the head from those that hold it", () => {
    const first = { curve: curve([1, 10, 0], [2, 19, 0]), alone: curve([1, 9, 0]), head: false };
    const last = { curve: curve([1, 12, 15], [2, 18, 28]), alone: curve([1, 9.5, 14]), head: true };
    expect(mergeCalibrations([first, last])).toEqual({
      curve: curve([1, 10, 15], [2, 18, 28]),
      alone: curve([1, 9, 14]),
      head: true,
    });
  });
});
