import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { expect, it } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { eventsBetween } from "./cluster-events.js";

const worker = (name: string, layers: readonly [number, number] | null, changes: Partial<WorkerStatus> = {}) =>
  ({ worker: name, layers, ...changes }) as WorkerStatus;
const two = [worker("a", [0, 1]), worker("b", [1, 2])];
const told = (before: readonly ClusterStatus[], now: readonly ClusterStatus[]) =>
  eventsBetween(before, now).map(({ level, text }) => `${level}: ${text}`);

it("tells of a coordinator that appears, and of one that is gone", () => {
  const loading = status("c1", { state: "loading", reason: "2 workers load", epoch: 4 });
  expect(told([], [loading])).toEqual(["warn: Coordinator c1 serves it: loading: 2 workers load, epoch 4"]);
  expect(told([loading], [])).toEqual(["error: Coordinator c1 is gone"]);
});

it("tells nothing while nothing but figures change", () => {
  const before = status("c1", { workers: two });
  expect(told([before], [{ ...before, updatedAtMs: 2, tokens: { ...before.tokens, generated: 9 } }])).toEqual([]);
});

it("tells of a lost worker, the state, and the new cut in this order", () => {
  const before = status("c1", { workers: two });
  const lost = status("c1", { workers: [worker("a", [0, 1])], state: "failed", reason: "b was lost", updatedAtMs: 7 });
  const healed = status("c1", { workers: [worker("a", [0, 2])], epoch: 2 });
  expect(eventsBetween([before], [lost])[0]).toEqual({
    ...{ atMs: 7, model: "tiny", kind: "worker", level: "warn", text: "Worker b is gone (layers 1-1)" },
  });
  expect(told([before], [lost])[1]).toBe("error: Failed: b was lost");
  expect(told([lost], [healed])).toEqual(["info: Ready", "info: Epoch 2: a has 0-1"]);
});

it("tells of workers that join, drain and are spares", () => {
  const before = status("c1", { workers: two });
  const joined = status("c1", { workers: [...two, worker("s", null)] });
  const draining = status("c1", { workers: [worker("a", [0, 1], { going: "draining" }), ...joined.workers.slice(1)] });
  expect(told([before], [joined])).toEqual(["info: Worker s joined"]);
  expect(told([joined], [draining])).toEqual(["info: Worker a is draining"]);
  expect(told([joined], [before])).toEqual(["warn: Worker s is gone (a spare)"]);
});
