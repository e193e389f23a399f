import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { expect, test } from "vitest";
import { workerStatus } from "../testing/sample-status.js";
import { phaseResult, pipelineError, pipelineProgress } from "./progress.js";

const worker = (first: number, last: number, loadedBytes: number): WorkerStatus =>
  workerStatus(`w${first}`, [first, last], { loadedBytes, totalBytes: 2_000_000 });

const status = (state: ClusterStatus["state"], workers: readonly WorkerStatus[]) =>
  ({ state, workers, reason: null }) as unknown as ClusterStatus;

test.each([
  ["waiting_for_workers", [worker(0, 16, 0)], { phase: "workers", text: "1 of 2 joined" }],
  [
    "loading",
    [worker(0, 16, 500_000), worker(16, 32, 0)],
    { phase: "weights", text: "500 kB of 2.0 MB · 0 B of 2.0 MB" },
  ],
  ["probing", [], { phase: "probe", text: "running a first step through all stages" }],
] as const)("%s in words", (state, workers, expected) => {
  expect(pipelineProgress(status(state, workers), 2)).toEqual(expected);
});

test("many workers are summed up", () => {
  const workers = Array.from({ length: 5 }, (_, index) => worker(index, index + 1, 1_000_000));
  expect(pipelineProgress(status("loading", workers), 5).text).toBe("5.0 MB of 10.0 MB on 5 workers");
  expect(phaseResult("weights", status("ready", workers), 5)).toBe("10.0 MB on 5 workers, layers 0-4");
});

test("weights that come over the wire are told of as such", () => {
  const preparing = { phase: "fetch", bytes: 500_000, totalBytes: 2_000_000 } as const;
  const fetching = { ...worker(0, 1, 0), preparing };
  const text = (workers: readonly WorkerStatus[]) => pipelineProgress(status("loading", workers), 5).text;
  expect(text([fetching, worker(1, 2, 1_000_000)])).toBe("fetching 500 kB of 2.0 MB · 1.0 MB of 2.0 MB");
  const many = Array.from({ length: 4 }, (_, index) => worker(index, index + 1, 1_000_000));
  expect(text([fetching, ...many])).toBe("4.5 MB of 10.0 MB on 5 workers, 1 of them fetching");
});

test("layers are listed in order", () => {
  const loaded = status("ready", [worker(16, 32, 2_000_000), worker(0, 16, 2_000_000)]);
  expect(phaseResult("weights", loaded, 2)).toBe("4.0 MB on 2 workers, layers 0-15, 16-31");
});

test.each([
  ["OUT_OF_MEMORY: 9 GB.\nMore.", "OUT_OF_MEMORY", "9 GB.\nMore."],
  ["something else", "NO_PIPELINE", "something else"],
])("the reason %j is an error", (reason, code, message) => {
  expect(pipelineError(reason)).toMatchObject({ code, message });
});
