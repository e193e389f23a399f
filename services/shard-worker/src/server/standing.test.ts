import { RhoneError, type WorkerStanding } from "@rhone/common";
import { rhone } from "@rhone/proto";
import { expect, test } from "vitest";
import { Standing } from "./standing.js";

function setup() {
  const told: WorkerStanding[] = [];
  return { told, standing: new Standing((each) => told.push(each)) };
}

test("tells of joining, loading and the pipeline, each change once", () => {
  const { told, standing } = setup();
  standing.notJoined(new RhoneError("UNREACHABLE", "Open port 7200."));
  standing.notJoined(new RhoneError("UNREACHABLE", "Open port 7200."));
  standing.joined();
  const loading = {
    state: "loading",
    reason: "2 workers are loading",
    model: "m",
    workers: 2,
    firstLayer: 4,
    lastLayer: 8,
  };
  standing.heard({ standing: loading });
  standing.heard({ standing: loading });
  standing.answered({ progress: { load: 1, phase: rhone.v1.LoadPhase.PHASE_FETCH, bytes: 7, totalBytes: 70 } });
  standing.answered({ progress: { load: 1, bytes: 10, totalBytes: 100 } });
  standing.answered({ ready: { load: 1, weightBytes: 100 } });
  standing.heard({ standing: { ...loading, state: "ready", reason: "" } });
  expect(
    told.map(({ joined, refusal, preparing, loadedBytes, pipeline }) => [
      joined,
      refusal?.code,
      preparing?.bytes ?? loadedBytes,
      pipeline?.state,
    ]),
  ).toEqual([
    [false, "UNREACHABLE", 0, undefined],
    [true, undefined, 0, undefined],
    [true, undefined, 0, "loading"],
    [true, undefined, 7, "loading"],
    [true, undefined, 10, "loading"],
    [true, undefined, 100, "loading"],
    [true, undefined, 100, "ready"],
  ]);
  expect(told.at(-1)?.pipeline?.layers).toEqual([4, 8]);
});

test("tells why layers could not be loaded, until others are", () => {
  const { told, standing } = setup();
  standing.joined();
  standing.answered({ failed: { load: 1, code: "DISK_FULL", message: "The disk is full." } });
  expect(told.at(-1)?.failure).toBe("The disk is full.");
  standing.heard({ load: { load: 2 } });
  expect(told.at(-1)?.failure).toBe("");
});

test("is a spare without layers, and forgets the pipeline when the coordinator is lost", () => {
  const { told, standing } = setup();
  standing.joined();
  standing.heard({ standing: { state: "ready", model: "m", workers: 3 } });
  expect(told.at(-1)?.pipeline).toMatchObject({ layers: null });
  standing.heard({ standing: { state: "ready", model: "m", workers: 3, drained: true } });
  expect(told.at(-1)?.pipeline).toMatchObject({ layers: null, drained: true });
  standing.notJoined(new RhoneError("WORKER_LOST", "It ended the stream."));
  expect(told.at(-1)).toMatchObject({ joined: false, pipeline: null });
});
