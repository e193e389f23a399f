import { describe, expect, it } from "vitest";
import { fakeModel } from "../testing/fake-model.js";
import { planCluster } from "./plan-pipeline.js";

const shape = { pageSize: 4, slidingWindow: 0, contextLength: 128, maxRows: 16 };
const settings = { workers: 2, kvType: "f16" as const, kvPages: null, maxSequences: 4, shape };
const worker = (name: string, kind: string, speed: number) => ({
  worker: name,
  memoryTotal: 1e9,
  kind,
  raw: { gflops: 100 * speed, bandwidth: 1e9 * speed },
  calibration: null,
});
const cut = (...members: readonly ReturnType<typeof worker>[]) =>
  planCluster(members, [], { model: fakeModel(), settings })?.stages.map(({ last }) => last);

describe("planCluster", () => {
  it("waits for enough workers", () => expect(cut(worker("a", "x", 1))).toBeUndefined());

  it("gives a machine that says it is slower fewer layers", () =>
    expect(cut(worker("a", "x", 1), worker("b", "y", 3))).toEqual([2, 8]));

  it("takes workers of one kind as equally fast, whatever they say", () =>
    expect(cut(worker("a", "x", 1), worker("b", "x", 3))).toEqual([4, 8]));
});
