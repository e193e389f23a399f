import type { QueuedJob } from "@rhone/common";
import { expect, it } from "vitest";
import { CancelLine } from "./cancel-line.js";

const job = (requestId: string, keyId = "", queue: Partial<QueuedJob> = {}): QueuedJob => ({
  ...{ requestId, keyId, model: "m", lane: "interactive" },
  ...queue,
});
const many = (count: number, keyId?: string) => Array.from({ length: count }, (_, i) => job(`${keyId}-${i}`, keyId));

/** A line, and the slices that it cancels. */
function line() {
  const slices: (readonly QueuedJob[])[] = [];
  const cancels = new CancelLine(async (jobs) => {
    slices.push(jobs);
    await new Promise(setImmediate);
  });
  const add = (jobs: readonly QueuedJob[]) => Promise.all(jobs.map((one) => cancels.add(one)));
  return { slices, add };
}

it("cancels 64 jobs at a time, each once", async () => {
  const { slices, add } = line();
  await add(many(200, "a"));
  expect(slices.map(({ length }) => length)).toEqual([64, 64, 64, 8]);
  expect(new Set(slices.flat().map(({ requestId }) => requestId)).size).toBe(200);
});

it("cancels jobs of a key, lane and model together", async () => {
  const { slices, add } = line();
  const others = [job("3", "a", { lane: "batch" }), job("4", "a", { model: "n" })];
  await add([job("1", "a"), job("2", "b"), ...others, job("5", "a")]);
  expect(slices.map((jobs) => jobs.map(({ requestId }) => requestId))).toEqual([["1", "5"], ["2"], ["3"], ["4"]]);
});

it("lets keys take turns: one job passes another key's thousands", async () => {
  const { slices, add } = line();
  const attack = add(many(6400, "a"));
  await add([job("other", "b")]);
  expect(slices.length).toBeLessThan(8);
  await attack;
  expect(slices).toHaveLength(101);
});

it("takes jobs that come later into slices of their own", async () => {
  const { slices, add } = line();
  await add([job("1")]);
  await add([job("1")]);
  expect(slices).toHaveLength(2);
});

it("tells the jobs of a slice that it failed, and goes on", async () => {
  let fails = true;
  const cancels = new CancelLine(async () => {
    if (fails) throw new Error("broken");
  });
  await expect(Promise.all([cancels.add(job("1")), cancels.add(job("2"))])).rejects.toThrow("broken");
  fails = false;
  await cancels.add(job("3"));
});
