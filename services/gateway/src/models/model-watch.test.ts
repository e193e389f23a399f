import type { ClusterStatus } from "@rhone/common";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { fakeGrammars, fakeSummary } from "../testing/fake-gateway.js";
import { fakeModel } from "../testing/fake-model.js";
import { ModelWatch } from "./model-watch.js";
import { ServedModels } from "./served-models.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The model "tiny", of a cluster whose statuses a test changes. */
function cluster() {
  const state = { coordinators: [status("c1")] as readonly ClusterStatus[], failure: undefined as Error | undefined };
  const coordinators = async () => {
    if (state.failure !== undefined) throw state.failure;
    return state.coordinators;
  };
  const models = new ServedModels([{ text: fakeModel(), grammars: fakeGrammars, summary: fakeSummary }], {
    coordinators,
  });
  return { state, open: () => ModelWatch.open(models, undefined) };
}

it("a model that is not ready is not watched", async () => {
  const { state, open } = cluster();
  state.coordinators = [status("c1", { state: "loading" })];
  await expect(open()).rejects.toMatchObject({ code: "NO_PIPELINE" });
});

it("a model is lost when none of its coordinators has been ready for 30 s", async () => {
  const { state, open } = cluster();
  const watch = await open();
  state.coordinators = [];
  await vi.advanceTimersByTimeAsync(25_000);
  state.coordinators = [status("c2")];
  await vi.advanceTimersByTimeAsync(1000);
  state.coordinators = [status("c2", { state: "failed" })];
  await vi.advanceTimersByTimeAsync(29_000);
  expect(watch.lost.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(2000);
  expect(watch.lost.reason).toMatchObject({ code: "SHUTTING_DOWN" });
  expect(vi.getTimerCount()).toBe(0);
});

it("a model is not lost because Redis is away", async () => {
  const { state, open } = cluster();
  const watch = await open();
  state.failure = new Error("away");
  await vi.advanceTimersByTimeAsync(120_000);
  expect(watch.lost.aborted).toBe(false);
  watch.close();
});
