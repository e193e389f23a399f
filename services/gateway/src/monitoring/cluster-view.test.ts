import { RhoneError } from "@rhone/common";
import { expect, it, vi } from "vitest";
import { status } from "../testing/coordinator-status.js";
import type { QueueDepth } from "./cluster-records.js";
import { ClusterView } from "./cluster-view.js";

function setUp() {
  const clock = { nowMs: 0 };
  const coordinators = vi.fn(async () => [status("c1")]);
  const depths = vi.fn(
    async (queues: readonly object[]): Promise<readonly QueueDepth[]> =>
      queues.map((_, waiting) => ({ waiting, taken: 0, oldestMs: 0 })),
  );
  const models = { namesAmong: () => ["tiny", "other"] };
  const view = new ClusterView({ cluster: { coordinators }, records: { depths }, models, now: () => clock.nowMs });
  return { view, clock, coordinators, depths };
}

it("shows every model of the gateway and of the coordinators, with its queues", async () => {
  const { view, depths } = setUp();
  const models = await view.look();
  expect(models?.map(({ name, coordinators }) => [name, coordinators.length])).toEqual([
    ["tiny", 1],
    ["other", 0],
  ]);
  expect(models?.[1]?.queues).toMatchObject({ interactive: { waiting: 2 }, batch: { waiting: 3 } });
  expect(depths).toHaveBeenCalledWith([
    { model: "tiny", lane: "interactive" },
    { model: "tiny", lane: "batch" },
    { model: "other", lane: "interactive" },
    { model: "other", lane: "batch" },
  ]);
});

it("asks Redis once in 250 ms, however many look", async () => {
  const { view, clock, depths } = setUp();
  await Promise.all([view.look(), view.look()]);
  clock.nowMs = 249;
  await view.look();
  expect(depths).toHaveBeenCalledTimes(1);
  clock.nowMs = 250;
  await view.look();
  expect(depths).toHaveBeenCalledTimes(2);
});

it("shows the last look for ten seconds while Redis is away, then nothing, and goes on when it is back", async () => {
  const { view, clock, depths } = setUp();
  await view.look();
  depths.mockRejectedValue(new RhoneError("REDIS_UNAVAILABLE", "Redis is away."));
  clock.nowMs = 9999;
  expect(await view.look()).toHaveLength(2);
  clock.nowMs = 10_000;
  expect(await view.look()).toBeNull();
  depths.mockImplementation(async (queues) => queues.map(() => ({ waiting: 1, taken: 1, oldestMs: 1 })));
  clock.nowMs = 10_250;
  expect(await view.look()).toHaveLength(2);
});

it("waits half a second for a Redis that is silent", async () => {
  vi.useFakeTimers();
  try {
    const { view, depths } = setUp();
    depths.mockReturnValue(new Promise(() => {}));
    const look = view.look();
    await vi.advanceTimersByTimeAsync(500);
    expect(await look).toBeNull();
  } finally {
    vi.useRealTimers();
  }
});
