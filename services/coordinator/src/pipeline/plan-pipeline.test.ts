import { RhoneError } from "@rhone/common";
import type { StagePlan } from "@rhone/planner";
import { describe, expect, it } from "vitest";
import { fakeModel } from "../testing/fake-model.js";
import { type Candidate, chooseWorkers, planPipeline, sameCut, stepTimesOf } from "./plan-pipeline.js";

const shape = { pageSize: 4, slidingWindow: 0, contextLength: 128, maxRows: 16 };
const settings = { workers: 2, kvType: "f16" as const, kvPages: null, maxSequences: 4, shape };

function worker(name: string, { kind = "x", speed = 1, memoryTotal = 1e9, loadFailedAt = null as number | null } = {}) {
  const raw = { gflops: 100 * speed, bandwidth: 1e9 * speed };
  return { worker: name, memoryTotal, kind, raw, calibration: null, loadFailedAt } satisfies Candidate;
}

const plan = (...members: readonly Candidate[]) => planPipeline(members, [], { model: fakeModel(), settings });
const cut = (...members: readonly Candidate[]) => plan(...members)?.stages.map(({ last }) => last);

describe("planPipeline", () => {
  it("waits for enough workers", () => expect(plan(worker("a"))).toBeNull());

  it("gives a machine that says it is slower fewer layers", () =>
    expect(cut(worker("a", { kind: "x" }), worker("b", { kind: "y", speed: 3 }))).toEqual([2, 8]));

  it("takes workers of one kind as equally fast, whatever they say", () =>
    expect(cut(worker("a"), worker("b", { speed: 3 }))).toEqual([4, 8]));

  it("plans for workers that said nothing about their speed", () =>
    expect(cut({ ...worker("a"), raw: null }, { ...worker("b"), raw: null })).toEqual([4, 8]));

  it("uses the same workers for the same members, and says which layers do not fit", () => {
    expect(plan(worker("a"), worker("b"), worker("c"))).toEqual(plan(worker("a"), worker("b"), worker("c")));
    expect(() => plan(worker("a", { memoryTotal: 10 }), worker("b"))).toThrow(RhoneError);
  });
});

describe("chooseWorkers", () => {
  /** "b!2" failed to load at time 2. */
  const members = (names: string) =>
    names.split(" ").map((name) => {
      const [workerName = "", failedAt] = name.split("!");
      return worker(workerName, { loadFailedAt: failedAt === undefined ? null : Number(failedAt) });
    });

  it.each([
    { joined: "a b", stages: 3, last: [], chosen: null, why: "too few" },
    { joined: "a b c", stages: 2, last: [], chosen: "a b", why: "in order of joining" },
    { joined: "c b d", stages: 3, last: ["a", "b", "c"], chosen: "d b c", why: "the others keep their stages" },
    { joined: "d c a", stages: 2, last: ["a", "b"], chosen: "a d", why: "the first to join takes the free stage" },
    { joined: "a c b", stages: 3, last: ["a"], chosen: "a b c", why: "free stages by name, however they come back" },
    { joined: "a b", stages: 1, last: ["a", "b"], chosen: "a", why: "fewer stages than before" },
    { joined: "a!1 b", stages: 1, last: [], chosen: "b", why: "a failed to load" },
    { joined: "a!1 b", stages: 1, last: ["a"], chosen: "b", why: "a failed, although it held the stage before" },
    { joined: "a!2 b!1", stages: 1, last: [], chosen: "b", why: "both failed, b longer ago" },
    { joined: "a!1 b", stages: 2, last: ["a", "b"], chosen: "a b", why: "both are needed and keep their stages" },
    { joined: "a!1 b c!2", stages: 2, last: [], chosen: "a b", why: "a failed longer ago than c" },
  ])("of $joined after $last for $stages stages: $chosen ($why)", ({ joined, stages, last, chosen }) => {
    expect(
      chooseWorkers(members(joined), stages, last)
        ?.map(({ worker: name }) => name)
        .join(" ") ?? null,
    ).toBe(chosen);
  });
});

const stage = (workerName: string, first: number, last: number): StagePlan => ({
  worker: workerName,
  stage: 0,
  first,
  last,
  embeds: first === 0,
  heads: last === 8,
  weightBytes: 0,
  memoryTotal: 0,
});

describe("sameCut", () => {
  const halves = [stage("a", 0, 4), stage("b", 4, 8)];
  it.each([
    [halves, true, "the same"],
    [[stage("a", 0, 5), stage("b", 5, 8)], false, "other layers"],
    [[stage("b", 0, 4), stage("a", 4, 8)], false, "other workers"],
    [[stage("a", 0, 8)], false, "fewer stages"],
  ])("case %#: %s", (other, same) => {
    expect(sameCut(halves, other)).toBe(same);
    expect(sameCut(other, halves)).toBe(same);
  });
});

describe("stepTimesOf", () => {
  const curve = [{ rows: 1, layerMs: 2, headMs: 1 }];
  const calibration = { curve, alone: curve, head: false };

  it("gives each stage its layers, its head and its worker's curve", () => {
    expect(stepTimesOf([stage("a", 0, 5), stage("b", 5, 8)], [{ calibration }, { calibration }])).toEqual([
      { curve, layers: 5, heads: false },
      { curve, layers: 3, heads: true },
    ]);
  });

  it("is null when one worker could not time its shard", () => {
    expect(stepTimesOf([stage("a", 0, 5), stage("b", 5, 8)], [{ calibration }, { calibration: null }])).toBeNull();
  });
});
