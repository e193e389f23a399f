import { describe, expect, it } from "vitest";
import { stageMs } from "./step-curve.js";

/** As measured on 4 layers of Q4_0: four rows cost less than two. */
const curve = [
  [1, 15],
  [2, 28],
  [4, 25],
  [8, 49],
  [16, 70],
  [32, 141],
].map(([rows = 0, ms = 0]) => ({ rows, layerMs: ms / 4, headMs: rows }));

describe("stageMs", () => {
  it.each([
    [1, 15],
    [2, 28],
    [3, 26.5],
    [4, 25],
    [6, 37],
    [32, 141],
    // Beyond the last point its cost per row continues.
    [64, 282],
    [0, 0],
  ])("of %i rows on four layers is %d", (rows, ms) => {
    expect(stageMs(curve, { layers: 4, heads: false }, rows)).toBeCloseTo(ms);
  });

  it("adds the head where the stage holds it, and counts layers", () => {
    expect(stageMs(curve, { layers: 8, heads: true }, 16)).toBeCloseTo(140 + 16);
  });

  it("takes the first point for fewer rows than it", () => {
    expect(stageMs(curve.slice(2), { layers: 4, heads: false }, 1)).toBeCloseTo(25);
  });
});
