import { describe, expect, it } from "vitest";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import { singleWorkerHint } from "./single-worker-hint.js";

const two = (changes: Parameters<typeof workerStatus>[2] = {}) =>
  clusterStatus([workerStatus("b", [4, 8], changes), workerStatus("a", [0, 4])]);

const CURVE = [{ rows: 1, layerMs: 10, headMs: 15 }];
const WAITED = { curve: CURVE, alone: CURVE, waited: 0.5 };

describe("the hint that one worker would be faster", () => {
  it("is given for workers of one machine, with the factor and the flags", () => {
    expect(singleWorkerHint(two(), "./rhone plan --model m8")).toMatch(
      /`--workers 1 --threads 2` should be about 1\.\d times as fast\. `\.\/rhone plan --model m8` measures it\.$/,
    );
  });

  it.each([
    ["workers of several machines", two({ hostname: "there" })],
    ["a single worker", clusterStatus([workerStatus("a", [0, 8])])],
    ["workers that have not measured", two({ stepTimes: null })],
    ["workers that other processes disturbed", two({ stepTimes: WAITED })],
    ["a device that is no processor", two({ device: "CUDA0" })],
    ["pages that would not fit into one", two({ pageBytes: 20e9 })],
  ])("is not given for %s", (_, status) => expect(singleWorkerHint(status, "")).toBeNull());
});
