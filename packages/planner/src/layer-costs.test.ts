import { describe, expect, it } from "vitest";
import type { WorkerSpeed } from "./calibration.js";
import { equallyFast, layerCosts } from "./layer-costs.js";
import { calibrated, smallModel } from "./testing/small-model.js";

const weights = { ...smallModel(2, { head: 30e6 }), layerBytes: [10e6, 20e6] };
/** A layer counts 4 MB besides what it reads, the head does not. */
const BY_BYTES = [14e6, 24e6, 30e6];
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
      first: BY_BYTES,
      second: BY_BYTES,
    },
    {
      name: "bytes, while speeds differ less than 1.5 times",
      workers: [raw(1), raw(1.4)],
      first: BY_BYTES,
      second: BY_BYTES,
    },
    {
      name: "bytes over speed, for one half as fast",
      workers: [raw(2), raw(1)],
      first: BY_BYTES,
      second: [28e6, 48e6, 60e6],
    },
    { name: "bytes, when one speed is unknown", workers: [raw(4), unknown], first: BY_BYTES, second: BY_BYTES },
    // Layers of 10 and 20 MB share 3 ms in that ratio about their mean of 15 MB.
    {
      name: "measured times by size",
      workers: [measured(3, null), measured(6, 12)],
      first: [2, 4, 6],
      second: [4, 8, 12],
    },
    {
      name: "the mean of the others, for one not measured",
      workers: [measured(2, 4), unknown, measured(4, null)],
      first: [4 / 3, 8 / 3, 4],
      second: [2, 4, 6],
    },
    // Without a measured head its 30 MB count as two mean layers.
    {
      name: "bytes, for a head that nobody measured",
      workers: [measured(3, null), measured(6, null)],
      first: [2, 4, 6],
      second: [4, 8, 12],
    },
    {
      name: "bytes, while measured times differ by a fifth, whatever the head takes",
      workers: [measured(3, null), measured(3.6, 20)],
      first: BY_BYTES,
      second: BY_BYTES,
    },
    {
      name: "bytes, where one is not measured and no two differ",
      workers: [measured(3, 9), unknown],
      first: BY_BYTES,
      second: BY_BYTES,
    },
  ])("are $name", ({ workers, first, second }) => {
    const costs = layerCosts(workers, weights).map(({ layers, head }) => [...layers, head]);
    expect(costs.slice(0, 2)).toEqual([first, second].map((values) => values.map((value) => expect.closeTo(value))));
  });
});

const calibratedAt = (layerMs: number) => ({ calibration: calibrated(layerMs, null) });

describe("equallyFast", () => {
  it.each([
    [true, "one worker", [measured(3, 9)]],
    [true, "workers of unknown speed", [unknown, unknown]],
    [true, "raw speeds 1.4 times apart", [raw(1), raw(1.4)]],
    [false, "raw speeds 1.5 times apart", [raw(1), raw(1.5)]],
    [true, "layers of 3 and 3.7 ms, whatever raw speeds say", [measured(3, 6), { ...raw(9), ...calibratedAt(3.7) }]],
    [false, "layers of 3 and 3.75 ms", [measured(3, 6), measured(3.75, 6)]],
  ])("is %s for %s", (expected, _, workers) => {
    expect(equallyFast(workers)).toBe(expected);
  });
});
