import type { LivePipeline } from "@rhone/common";
import { expect, it } from "vitest";
import { Drawings, type LiveWorker } from "./stages.ts";

const worker = (worker: string, layers: LiveWorker["layers"], changes: Partial<LiveWorker> = {}) =>
  ({ worker, layers, ...changes }) as LiveWorker;

const pipeline = (state: LivePipeline["state"], ...workers: readonly LiveWorker[]): LivePipeline =>
  ({ coordinator: "c1", state, workers }) as unknown as LivePipeline;

function shown(drawings: Drawings, status: LivePipeline, nowMs: number): readonly string[] {
  const { places, spares } = drawings.draw(status, nowMs);
  return [
    ...places.map((place) => `${place.kind} ${place.kind === "gone" ? place.name : place.worker.worker}`),
    ...spares.map((spare) => `spare ${spare.worker}`),
  ];
}

const a = worker("a", [0, 4]);
const b = worker("b", [4, 8]);

it("draws stages in the order of their layers, and spares apart", () => {
  const drawn = shown(new Drawings(), pipeline("ready", b, worker("s", null), a), 0);
  expect(drawn).toEqual(["stage a", "stage b", "spare s"]);
});

it("draws a lost worker where it was while the pipeline is not ready, and for some seconds in any case", () => {
  const drawings = new Drawings();
  shown(drawings, pipeline("ready", a, b), 0);
  expect(shown(drawings, pipeline("loading", a), 1000)).toEqual(["stage a", "gone b"]);
  expect(shown(drawings, pipeline("loading", a), 60_000)).toEqual(["stage a", "gone b"]);
  expect(shown(drawings, pipeline("ready", worker("a", [0, 8])), 61_000)).toEqual(["stage a"]);
});

it("draws a loss that healed between two looks", () => {
  const drawings = new Drawings();
  shown(drawings, pipeline("ready", a, b), 0);
  const healed = pipeline("ready", a, worker("c", [4, 8]));
  expect(shown(drawings, healed, 1000)).toEqual(["stage a", "gone b", "stage c"]);
  expect(shown(drawings, healed, 8000)).toEqual(["stage a", "stage c"]);
});

it("takes a worker that ends in order, or comes back, for no loss", () => {
  const drawings = new Drawings();
  shown(drawings, pipeline("ready", a, worker("b", [4, 8], { going: "leaving" })), 0);
  expect(shown(drawings, pipeline("ready", worker("a", [0, 8])), 1000)).toEqual(["stage a"]);
  shown(drawings, pipeline("loading"), 2000);
  expect(shown(drawings, pipeline("loading", a), 3000)).toEqual(["stage a"]);
});
