import type { WorkerStanding } from "@rhone/common";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ProgressEvent } from "../cluster/progress.js";
import { MemberProgress } from "./member-progress.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const standing = (changes: Partial<WorkerStanding>): WorkerStanding => ({
  kind: "standing",
  refusal: null,
  joined: true,
  loading: false,
  failure: "",
  preparing: null,
  loadedBytes: 0,
  totalBytes: 0,
  pipeline: null,
  ...changes,
});

type Pipeline = NonNullable<WorkerStanding["pipeline"]>;
const pipeline = (state: Pipeline["state"], changes: Partial<Pipeline> = {}): Pipeline => ({
  state,
  reason: state === "ready" ? "" : "not yet",
  model: "mistral",
  workers: 2,
  layers: null,
  ...changes,
});

function setup() {
  const events: ProgressEvent[] = [];
  const finals: string[] = [];
  const progress = new MemberProgress({
    name: "b-1",
    coordinator: "10.0.0.1:7110",
    report: (event) => events.push(event),
    onFinal: ({ message }) => finals.push(message),
  });
  const shown = () =>
    events.map((event) => ("phase" in event ? `${event.phase}${event.done ? " done" : ""}: ${event.text}` : event));
  return { progress, events, finals, shown };
}

test("shows joining, weights and the place that the worker got", () => {
  const { progress, shown } = setup();
  progress.show(standing({ joined: false }));
  progress.show(standing({ pipeline: pipeline("ready") })); // which grows in a moment
  const layers = [8, 16] as const;
  const preparing = { phase: "fetch", bytes: 1e8, totalBytes: 2e9 } as const;
  progress.show(standing({ pipeline: pipeline("loading", { layers }), loading: true, preparing }));
  progress.show(
    standing({ pipeline: pipeline("loading", { layers }), loading: true, loadedBytes: 1e9, totalBytes: 2e9 }),
  );
  progress.show(standing({ pipeline: pipeline("loading", { layers }), loadedBytes: 2e9, totalBytes: 2e9 }));
  vi.advanceTimersByTime(60_000); // for which the workers time their layers
  progress.show(standing({ pipeline: pipeline("ready", { layers }), loadedBytes: 2e9, totalBytes: 2e9 }));
  vi.advanceTimersByTime(60_000);
  expect(shown()).toEqual([
    "coordinator done: 10.0.0.1:7110 has taken b-1, and reaches it",
    "probe: waiting for a place",
    "weights: fetching 100 MB of 2.0 GB",
    "weights: 1.0 GB of 2.0 GB",
    "probe: not yet",
    "weights done: 2.0 GB, layers 8-15",
    { kind: "member", text: "b-1 has layers 8-15 of mistral, with 2 workers in all" },
  ]);
});

test("says after a while that the worker is a spare, and later that it has layers", () => {
  const { progress, shown } = setup();
  progress.show(standing({ pipeline: pipeline("ready") }));
  vi.advanceTimersByTime(3999);
  expect(shown()).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(shown().at(-1)).toEqual({ kind: "member", text: "b-1 is a spare for mistral, with 2 workers in all" });
  progress.show(standing({ pipeline: pipeline("ready", { layers: [0, 4] }), loadedBytes: 1, totalBytes: 1 }));
  expect(shown().at(-1)).toEqual({ kind: "note", text: "b-1 has layers 0-3 of mistral, with 2 workers in all" });
});

test("shows the weights that come while the others serve, and does not take the worker for a spare then", () => {
  const { progress, shown } = setup();
  progress.show(standing({ pipeline: pipeline("ready"), loading: true }));
  vi.advanceTimersByTime(60_000);
  const preparing = { phase: "fetch", bytes: 1e8, totalBytes: 2e9 } as const;
  progress.show(standing({ pipeline: pipeline("ready"), loading: true, preparing }));
  vi.advanceTimersByTime(60_000);
  expect(shown().slice(1)).toEqual(["probe: waiting for a place", "weights: fetching 100 MB of 2.0 GB"]);
});

test("says once why the worker could not load its layers", () => {
  const { progress, shown } = setup();
  const failure = "The disk is full: /w/model.gguf can't be written. Free some space.";
  progress.show(standing({ pipeline: pipeline("loading", { layers: [0, 4] }) }));
  progress.show(standing({ pipeline: pipeline("loading", { layers: [0, 4] }), failure }));
  progress.show(standing({ pipeline: pipeline("ready"), failure }));
  vi.advanceTimersByTime(4000);
  expect(shown().slice(-4)).toEqual([
    { kind: "warning", text: failure },
    "probe: not yet",
    "probe: waiting for a place",
    { kind: "member", text: "b-1 is a spare for mistral, with 2 workers in all" },
  ]);
});

test("says that the worker was drained", () => {
  const { progress, shown } = setup();
  progress.show(standing({ pipeline: pipeline("ready", { layers: [0, 4] }) }));
  progress.show(standing({ pipeline: pipeline("ready", { drained: true }) }));
  vi.advanceTimersByTime(4000);
  const text = "b-1 is drained: it gets no layers of mistral until it is started again";
  expect(shown().at(-1)).toEqual({ kind: "note", text });
});

test("says what the pipeline waits for", () => {
  const { progress, shown } = setup();
  progress.show(standing({ pipeline: pipeline("waiting_for_workers", { reason: "2 of 3 workers have joined" }) }));
  vi.advanceTimersByTime(4000);
  expect(shown().at(-1)).toEqual({
    kind: "member",
    text: "b-1, with 2 workers in all; mistral is not ready: 2 of 3 workers have joined",
  });
});

test("gives up at once when the coordinator does not reach the worker, and only before it has", () => {
  const { progress, finals, shown } = setup();
  const refusal = { code: "UNREACHABLE", message: "Open TCP port 7200 of 10.0.0.2." };
  progress.show(standing({ joined: false, refusal }));
  expect(finals).toEqual([refusal.message]);
  progress.show(standing({}));
  progress.show(standing({ joined: false, refusal }));
  progress.show(standing({ joined: false, refusal }));
  expect(finals).toHaveLength(1);
  expect(shown().at(-1)).toEqual({ kind: "warning", text: `${refusal.message} Trying again.` });
  expect(shown()).toHaveLength(2);
});
