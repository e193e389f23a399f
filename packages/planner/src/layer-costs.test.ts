import { describe, expect, it } from "vitest";
import type { WorkerSpeed } from "./calibration.js";
import { layerCosts } from "./layer-costs.js";
import { calibrated, smallModel } from "./testing/small-model.js";

const weights = { ...smallModel(2, { head: 30 }), layerBytes: [10, 20] };
const unknown: WorkerSpeed = { raw: null, calibration: null };
const raw = (factor: number): WorkerSpeed => ({
  raw: { gflops: 100 * factor, bandwidth: 1e9 * factor },
  calibration: null,
});
const measured = (layerMs: number, headMs: number | null): WorkerSpeed => ({
  raw: null,
  calibration: calibrated(layerMs, headMs),
});

describe("layerCosts", () => {
  it.each([
    {
      name: "bytes, of workers of unknown speed",
      workers: [unknown, unknown],
      first: [10, 20, 30],
      second: [10, 20, 30],
    },
    {
      name: "bytes, while speeds differ less than 1.5 times",
      workers: [raw(1), raw(1.4)],
      first: [10, 20, 30],
      second: [10, 20, 30],
    },
    {
      name: "bytes over speed, for one half as fast",
      workers: [raw(2), raw(1)],
      first: [10, 20, 30],
      second: [20, 40, 60],
    },
    { name: "bytes, when one speed is unknown", workers: [raw(4), unknown], first: [10, 20, 30], second: [10, 20, 30] },
    // Layers of 10 and 20 bytes share 3 ms in that ratio about their mean of 15 bytes.
    {
      name: "measured times by size",
      workers: [measured(3, null), measured(6, 12)],
      first: [2, 4, 6],
      second: [4, 8, 12],
    },
    {
      name: "the mean of the others, for one not measured",
      workers: [measured(3, 6), unknown],
      first: [2, 4, 6],
      second: [2, 4, 6],
    },
    // Without a measured head its 30 bytes count as two mean layers.
    {
      name: "bytes, for a head that nobody measured",
      workers: [measured(3, null), measured(3, null)],
      first: [2, 4, 6],
      second: [2, 4, 6],
    },
  ])("are $name", ({ workers, first, second }) => {
    const costs = layerCosts(workers, weights).map(({ layers, head }) => [...layers, head]);
    expect(costs).toEqual([first, second].map((values) => values.map((value) => expect.closeTo(value))));
  });
});
