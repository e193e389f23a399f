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

  it("counts a link between each two stages, and a slow one as the beat of the pipeline", () => {
    const two = [stage(10, 10, 10), stage(10, 10, 10)];
    expect(predict(two, 1, (rows) => 7 * rows).tokensPerSecond).toBeCloseTo(1000 / (10 + 10 + 3 + 7));
    // Groups of 2 and 2, of 7 ms a row: 14 ms on the link, more than a stage's 10. One's way is 10 + 14 + 10 + 3 ms.
    expect(predict(two, 4, (rows) => 7 * rows)).toMatchObject({ tokensPerSecond: 4000 / 37, groups: 2 });
    // 50 ms a row: the link is always busy.
    expect(predict(two, 8, (rows) => 50 * rows).tokensPerSecond).toBeCloseTo(1000 / 50);
    expect(predict([stage(10, 10, 10)], 8, () => 1e9)).toEqual(predict([stage(10, 10, 10)], 8));
  });

  it("never counts more groups than streams", () => {
    expect(predict([stage(10, 40, 160), stage(10, 40, 160), stage(10, 40, 160)], 2).groups).toBe(2);
  });
});
