import { describe, expect, it } from "vitest";
import { predict } from "./predict.js";

/** A stage that takes these milliseconds for 1, 4 and 16 rows, and `alone` for one row while others are idle. */
const stage = (one: number, four: number, sixteen: number, alone = one) => ({
  curve: [
    { rows: 1, layerMs: one, headMs: 0 },
    { rows: 4, layerMs: four, headMs: 0 },
    { rows: 16, layerMs: sixteen, headMs: 0 },
  ],
  alone: [{ rows: 1, layerMs: alone, headMs: 0 }],
  layers: 1,
  heads: false,
});

describe("predict", () => {
  it("gives one stream the time of all stages, alone on their machine, and their hops", () => {
    const { tokensPerSecond } = predict([stage(60, 80, 200, 50), stage(60, 80, 200, 47)], 1);
    expect(tokensPerSecond).toBeCloseTo(1000 / (50 + 47 + 3));
  });

  it("lets one stage take all streams at once when rows are cheap", () => {
    const prediction = predict([stage(98, 98, 98)], 16);
    expect(prediction).toMatchObject({ groups: 1, rows: 16 });
    expect(prediction.tokensPerSecond).toBeCloseTo(16 / 0.1);
  });

  it("splits streams into groups so that two stages work at a time", () => {
    const prediction = predict([stage(10, 40, 160), stage(10, 40, 160)], 9);
    expect(prediction).toMatchObject({ groups: 3, rows: 3 });
  });

  it("never counts more groups than streams", () => {
    expect(predict([stage(10, 40, 160), stage(10, 40, 160), stage(10, 40, 160)], 2).groups).toBe(2);
  });
});
